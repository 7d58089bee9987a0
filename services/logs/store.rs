//! How groups and streams lie in rows. Events lie in the log of segments, by their stream's number.

use serde::{Deserialize, Serialize};
use store::{Batch, Key, ReadError, Store};

use crate::catalog::{Catalog, Place, Settings, Stream};

#[derive(Serialize, Deserialize)]
struct GroupRow {
    place: Place,
    name: String,
    settings: Settings,
}

#[derive(Serialize, Deserialize)]
struct StreamRow {
    place: Place,
    group: String,
    name: String,
    stream: Stream,
}

/// Reads everything.
pub(crate) async fn load(store: &Store) -> Result<Catalog, ReadError> {
    let mut catalog = Catalog::default();
    let groups = Key::table("logs/group");
    store
        .scan(&groups, |_, row: GroupRow| catalog.add_group(row.place, row.name, row.settings))
        .await?;
    let streams = Key::table("logs/stream");
    store
        .scan(&streams, |_, row: StreamRow| {
            catalog.add_stream(&row.place, &row.group, row.name, row.stream);
        })
        .await?;
    // Behind the streams: the greatest number may be a gone stream's.
    if let Some(last) = store.read::<u64>(&last_stream_key()).await? {
        catalog.last_stream = last;
    }
    Ok(catalog)
}

pub(crate) fn put_group(batch: &mut Batch, place: &Place, name: &str, settings: &Settings) {
    let row = GroupRow { place: place.clone(), name: name.to_owned(), settings: settings.clone() };
    batch.put(group_key(place, name), &row);
}

/// Removes a group and its streams.
pub(crate) fn delete_group(batch: &mut Batch, place: &Place, name: &str) {
    batch.delete(group_key(place, name)).delete_all(streams_key(place, name));
}

/// Writes a new stream, whose number is the greatest so far.
pub(crate) fn put_stream(
    batch: &mut Batch,
    place: &Place,
    group: &str,
    name: &str,
    stream: Stream,
) {
    let row =
        StreamRow { place: place.clone(), group: group.to_owned(), name: name.to_owned(), stream };
    batch.put(streams_key(place, group).text(name), &row).put(last_stream_key(), &stream.id);
}

pub(crate) fn delete_stream(batch: &mut Batch, place: &Place, group: &str, name: &str) {
    batch.delete(streams_key(place, group).text(name));
}

fn group_key(place: &Place, name: &str) -> Key {
    Key::table("logs/group").text(place.account.as_str()).text(place.region.as_str()).text(name)
}

fn streams_key(place: &Place, group: &str) -> Key {
    Key::table("logs/stream").text(place.account.as_str()).text(place.region.as_str()).text(group)
}

fn last_stream_key() -> Key {
    Key::table("logs/last-stream")
}
