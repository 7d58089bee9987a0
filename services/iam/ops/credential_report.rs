//! `GenerateCredentialReport`, `GetCredentialReport`.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;

use crate::{
    Error, Iam,
    credential_report::{self, Report},
    resource::second,
};

/// Makes a report unless there is a fresh one. It is there at once; that it was only started is what
/// AWS says first.
pub(crate) async fn generate(
    iam: Arc<Iam>,
    caller: Caller,
    _input: api::GenerateCredentialReportInput,
) -> Result<api::GenerateCredentialReportOutput, Error> {
    let known = iam.reports.get(caller.account);
    if known.is_some_and(|report| report.is_fresh(caller.now)) {
        let state = Some(api::ReportStateType::Complete);
        return Ok(api::GenerateCredentialReportOutput { state, description: None });
    }
    let text = credential_report::text(&iam.account(caller.account), &iam.uses);
    iam.reports.put(caller.account, Report { made: second(caller.now), text });
    let description = "No report exists. Starting a new report generation task";
    Ok(api::GenerateCredentialReportOutput {
        state: Some(api::ReportStateType::Started),
        description: Some(description.to_owned()),
    })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    _input: api::GetCredentialReportInput,
) -> Result<api::GetCredentialReportOutput, Error> {
    let report = iam.reports.get(caller.account).ok_or(Error::NoReport)?;
    if !report.is_fresh(caller.now) {
        return Err(Error::ReportExpired);
    }
    Ok(api::GetCredentialReportOutput {
        content: Some(report.text.into()),
        report_format: Some(api::ReportFormatType::TextCsv),
        generated_time: Some(report.made),
    })
}
