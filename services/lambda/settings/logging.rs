//! `LoggingConfig`. Pure.

use model::lambda as api;
use serde::{Deserialize, Serialize};
use wire::Enumeration;

/// `LoggingConfig`; levels are the model's words and only there for JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Logging {
    pub(crate) json: bool,
    pub(crate) application_level: Option<String>,
    pub(crate) system_level: Option<String>,
    /// `None`: `/aws/lambda/` and the function's name.
    pub(crate) group: Option<String>,
}

impl Logging {
    /// Changes what is named. AWS shows both levels for JSON, set or not; text has none.
    pub(crate) fn apply(&mut self, config: api::LoggingConfig) {
        if let Some(format) = config.log_format {
            self.json = format == api::LogFormat::Json;
        }
        if config.log_group.is_some() {
            self.group = config.log_group;
        }
        let application = config.application_log_level.map(|it| it.as_str().to_owned());
        let system = config.system_log_level.map(|it| it.as_str().to_owned());
        let level = |given: Option<String>, before: Option<String>| {
            given.or(before).or_else(|| Some("INFO".to_owned())).filter(|_| self.json)
        };
        self.application_level = level(application, self.application_level.take());
        self.system_level = level(system, self.system_level.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let mut logging = Logging::default();
        logging.apply(api::LoggingConfig {
            log_format: Some(api::LogFormat::Json),
            system_log_level: Some(api::SystemLogLevel::Debug),
            log_group: Some("/mine".to_owned()),
            ..api::LoggingConfig::default()
        });
        logging.apply(api::LoggingConfig {
            application_log_level: Some(api::ApplicationLogLevel::Warn),
            ..api::LoggingConfig::default()
        });
        let levels =
            |logging: &Logging| (logging.application_level.clone(), logging.system_level.clone());
        assert_eq!(levels(&logging), (Some("WARN".to_owned()), Some("DEBUG".to_owned())));
        logging.apply(api::LoggingConfig {
            log_format: Some(api::LogFormat::Text),
            ..api::LoggingConfig::default()
        });
        assert_eq!(levels(&logging), (None, None));
        assert_eq!((logging.json, logging.group.as_deref()), (false, Some("/mine")));
    }
}
