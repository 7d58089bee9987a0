//! Where ends of events may be told: the checks when a configuration names a destination or a
//! dead-letter queue.
//!
//! Sources: AWS's answers as LocalStack's and others' recorded tests repeat them; "Capturing records
//! of Lambda asynchronous invocations" (FIFO queues are not supported, buckets on failure only).

use bus::{Delivery, DeliveryError};
use kit::{Arn, Caller};

use crate::{Error, Lambda, invoke::concurrency::FunctionKey};

/// The destinations that a caller asks for, not checked yet.
pub(crate) struct Asked {
    pub(crate) on_success: Option<String>,
    pub(crate) on_failure: Option<String>,
}

impl Asked {
    /// AWS's refusal of the whole configuration.
    fn refusal(&self) -> Error {
        let part = |name: &str, arn: &Option<String>| {
            arn.as_ref().map_or("null".to_owned(), |arn| format!("{name}(destination={arn})"))
        };
        Error::InvalidParameter(format!(
            "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is \
             invalid.",
            part("OnSuccess", &self.on_success),
            part("OnFailure", &self.on_failure)
        ))
    }
}

impl Lambda {
    /// The destinations of a function's events, success first, if they can be delivered to.
    pub(crate) async fn check_destinations(
        &self,
        caller: &Caller,
        function: &FunctionKey,
        asked: Asked,
    ) -> Result<(Option<Arn>, Option<Arn>), Error> {
        let on_failure = match &asked.on_failure {
            Some(text) => Some(self.check_destination(caller, function, text, &asked).await?),
            None => None,
        };
        let on_success = match &asked.on_success {
            Some(text) => Some(self.check_destination(caller, function, text, &asked).await?),
            None => None,
        };
        if on_success.as_ref().is_some_and(|arn| arn.service() == "s3") {
            return Err(asked.refusal());
        }
        Ok((on_success, on_failure))
    }

    async fn check_destination(
        &self,
        caller: &Caller,
        function: &FunctionKey,
        text: &str,
        asked: &Asked,
    ) -> Result<Arn, Error> {
        let arn: Arn = text.parse().map_err(|_| asked.refusal())?;
        let own = function.arn();
        match arn.service() {
            "sqs" | "s3" => {}
            "lambda" if is_of(&arn, &own) => return Err(Error::DestinationIsItself),
            "lambda" => {}
            "sns" | "events" => self.check_built(&arn)?,
            _ => return Err(asked.refusal()),
        }
        let Some(target) = self.bus.directory().target(&arn) else { return Err(asked.refusal()) };
        let sample = Delivery::new(arn.clone(), "lambda.amazonaws.com", own, caller, String::new());
        match target.validate(&sample).await {
            Err(DeliveryError::Refused(_)) => Err(Error::InvalidDestination(text.to_owned())),
            _ => Ok(arn),
        }
    }

    /// What a dead-letter queue must be besides its form: near its function, and there to take
    /// letters.
    pub(crate) fn check_dead_letter(
        &self,
        function: &FunctionKey,
        queue: Option<&Arn>,
    ) -> Result<(), Error> {
        let Some(queue) = queue else { return Ok(()) };
        if queue.region() != function.region.as_str() {
            return Err(invalid_dead_letter(
                "The resource specified by the TargetArn must be in the same region as the Lambda \
                 function it's associated with.",
            ));
        }
        self.check_built(queue)
    }

    /// Refuses what no service here takes.
    fn check_built(&self, target: &Arn) -> Result<(), Error> {
        match (self.bus.directory().target(target), target.service()) {
            (Some(_), _) => Ok(()),
            (None, "sns") => Err(Error::NotBuilt("Amazon SNS topics as targets of events")),
            (None, _) => Err(Error::NotBuilt("this kind of target of events")),
        }
    }
}

/// Whether an ARN is a function's, with or without a version or alias.
fn is_of(arn: &Arn, function: &Arn) -> bool {
    let rest = arn.as_str().strip_prefix(function.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// A dead-letter queue as its configuration names it.
pub(crate) fn dead_letter(text: &str) -> Result<Arn, Error> {
    let arn: Arn = text.parse().map_err(|_| invalid_dead_letter(text))?;
    let kind = match arn.service() {
        "sqs" => "SQS queue",
        "sns" => "SNS topic",
        _ => {
            let why = "Only Amazon SQS queues and Amazon SNS topics are supported.";
            return Err(invalid_dead_letter(why));
        }
    };
    if arn.resource().ends_with(".fifo") {
        let why = format!("FIFO {kind} is not supported for dead letter configuration");
        return Err(invalid_dead_letter(&why));
    }
    Ok(arn)
}

fn invalid_dead_letter(why: &str) -> Error {
    Error::InvalidParameter(format!("Invalid dead letter queue ARN: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_queue_is_a_standard_one() {
        assert!(dead_letter("arn:aws:sqs:us-east-1:000000000000:q").is_ok());
        let refused = |text: &str| dead_letter(text).unwrap_err().to_string();
        assert_eq!(
            refused("arn:aws:sqs:us-east-1:000000000000:q.fifo"),
            "Invalid dead letter queue ARN: FIFO SQS queue is not supported for dead letter \
             configuration"
        );
        assert!(refused("arn:aws:s3:::bucket").ends_with("topics are supported."));
    }

    #[test]
    fn a_function_is_itself_by_any_of_its_names() {
        let own: Arn = "arn:aws:lambda:us-east-1:000000000000:function:f".parse().unwrap();
        let of = |end: &str| is_of(&format!("{own}{end}").parse().unwrap(), &own);
        assert!(of("") && of(":1") && of(":PROD"));
        assert!(!of("2"));
    }
}
