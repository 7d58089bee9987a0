//! Configurations as single answers show them: with what only this machine knows, the version of the
//! runtime. Lists go without, as AWS's do.

use kit::Region;
use model::lambda as api;

use crate::{
    Error, Lambda,
    invoke::concurrency::FunctionKey,
    version::Version,
    view::{Moment, configuration},
};

impl Lambda {
    /// A version's configuration, under the ARN by which it was asked for.
    pub(crate) async fn described(
        &self,
        key: &FunctionKey,
        version: &Version,
        qualifier: Option<&str>,
        moment: Moment,
    ) -> api::FunctionConfiguration {
        let mut shown = configuration(key, version, qualifier, moment);
        let present = self.runtime_version(&key.region, &version.settings.runtime).await;
        // A machine that has lost the runtime shows no version: an invocation will say why.
        shown.runtime_version_config = present.ok().map(|present| {
            let live = self.functions.get(key);
            let management = live.map(|live| live.function.runtime_management(version.number));
            management.unwrap_or_default().shown(present)
        });
        shown
    }

    /// The ARN of the version of a runtime that this machine has.
    pub(crate) async fn runtime_version(
        &self,
        region: &Region,
        runtime: &str,
    ) -> Result<String, Error> {
        let (pool, region, runtime) = (self.pool.clone(), region.clone(), runtime.to_owned());
        let asked = tokio::task::spawn_blocking(move || pool.runtime_version(&region, &runtime));
        let version = asked.await.map_err(Error::at("looking for a runtime"))?;
        version.map_err(|error| Error::RuntimeMissing(error.to_string()))
    }
}
