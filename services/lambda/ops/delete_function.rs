//! `DeleteFunction`: a whole function, or one numbered version.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{Error, Lambda, name, version::Number};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteFunctionInput,
) -> Result<api::DeleteFunctionOutput, Error> {
    let named = name::resolve(&caller, &input.function_name, input.qualifier.as_deref())?;
    match named.qualifier.as_deref() {
        None => lambda.remove(&named.key).await?,
        Some(qualifier) => match Number::parse(qualifier) {
            None => return Err(Error::AliasNotDeletable),
            Some(Number::LATEST) => return Err(Error::LatestNotDeletable),
            Some(number) => {
                lambda.change(&named.key, |function| function.remove_version(number)).await?;
            }
        },
    }
    lambda.collect_code().await;
    Ok(api::DeleteFunctionOutput { status_code: Some(204) })
}
