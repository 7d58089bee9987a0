//! Tags of event source mappings.

use kit::{Caller, Tags};

use crate::{Error, Lambda, ops::mapping::find, sources::mapping::Mapping};

/// The id of a mapping whose ARN this is.
pub(crate) fn id(resource: &str) -> Option<String> {
    resource.split_once(":event-source-mapping:").map(|(_, id)| id.to_owned())
}

/// Changes a mapping's tags.
pub(crate) async fn change(
    lambda: &Lambda,
    caller: &Caller,
    id: &str,
    change: impl FnOnce(&mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    let _turn = lambda.sources.turn.lock().await;
    let mut mapping = Mapping::clone(&find(lambda, caller, id)?.mapping);
    change(&mut mapping.tags)?;
    lambda.save_mapping(&mapping).await?;
    lambda.sources.relabel(mapping);
    Ok(())
}

/// A mapping's tags.
pub(crate) fn list(lambda: &Lambda, caller: &Caller, id: &str) -> Result<Tags, Error> {
    Ok(find(lambda, caller, id)?.mapping.tags.clone())
}
