//! Which code signing configuration a function has: `PutFunctionCodeSigningConfig`,
//! `GetFunctionCodeSigningConfig`, `DeleteFunctionCodeSigningConfig`; and its check of new code.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Unit;

use crate::{
    Error, Lambda,
    invoke::concurrency::FunctionKey,
    ops::{own, unqualified},
    signing::Signing,
};

pub(crate) async fn put(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PutFunctionCodeSigningConfigInput,
) -> Result<api::PutFunctionCodeSigningConfigOutput, Error> {
    let _turn = lambda.signings.turn.lock().await;
    // A missing configuration is told before a missing function.
    lambda.signing(&caller, &input.code_signing_config_arn)?;
    let key = own(&caller, &input.function_name)?;
    let arn = input.code_signing_config_arn;
    let put = lambda.change(&key, |function| {
        function.common.code_signing = Some(arn.clone());
        Ok(())
    });
    put.await?;
    Ok(api::PutFunctionCodeSigningConfigOutput {
        code_signing_config_arn: arn,
        function_name: key.name,
    })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionCodeSigningConfigInput,
) -> Result<api::GetFunctionCodeSigningConfigOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let arn = lambda.functions.get(&key)?.function.common.code_signing.clone();
    // Without a configuration the answer is empty, the function's name included.
    Ok(api::GetFunctionCodeSigningConfigOutput {
        function_name: arn.is_some().then_some(key.name),
        code_signing_config_arn: arn,
    })
}

pub(crate) async fn delete(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteFunctionCodeSigningConfigInput,
) -> Result<Unit, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let deleted = lambda.change(&key, |function| {
        function.common.code_signing = None;
        Ok(Unit)
    });
    deleted.await
}

impl Lambda {
    /// A configuration that a function is to have.
    pub(crate) fn signing(&self, caller: &Caller, arn: &str) -> Result<Arc<Signing>, Error> {
        let signing = self.signings.get(caller, arn);
        signing.ok_or_else(|| Error::SigningConfigGone(arn.to_owned()))
    }

    /// Whether a function's code signing configuration lets new code, or new layers, pass.
    pub(crate) fn check_signature(&self, caller: &Caller, key: &FunctionKey) -> Result<(), Error> {
        match &self.functions.get(key)?.function.common.code_signing {
            Some(arn) => {
                let owner = Caller { account: key.account, ..caller.clone() };
                self.signing(&owner, arn)?.check(key.arn().as_str())
            }
            None => Ok(()),
        }
    }
}
