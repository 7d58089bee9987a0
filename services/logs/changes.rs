//! Changes of groups and streams: first the rows, then memory.
//!
//! A change must not be given up between the two. Operations are not: the front lets them run to
//! their end when a client goes away. Who appends lines awaits it.

use kit::Millis;
use store::Batch;

use crate::{
    Error, Logs,
    catalog::{Place, Settings, Stream},
    store as rows,
};

impl Logs {
    /// Makes a group.
    pub(crate) async fn create_group(
        &self,
        place: Place,
        name: String,
        settings: Settings,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        self.catalog().admits(&place, &name)?;
        let mut batch = Batch::new();
        rows::put_group(&mut batch, &place, &name, &settings);
        self.rows.commit(batch).await?;
        self.catalog_mut().add_group(place, name, settings);
        Ok(())
    }

    /// Removes a group with its streams. Their events go with the next round of retention.
    pub(crate) async fn delete_group(&self, place: &Place, name: &str) -> Result<(), Error> {
        let _turn = self.turn().await;
        if self.catalog().group(place, name)?.settings.protected {
            return Err(Error::Protected);
        }
        let mut batch = Batch::new();
        rows::delete_group(&mut batch, place, name);
        self.rows.commit(batch).await?;
        self.catalog_mut().remove_group(place, name);
        Ok(())
    }

    /// Changes what a group is.
    pub(crate) async fn change_group(
        &self,
        place: &Place,
        name: &str,
        change: impl FnOnce(&mut Settings) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        let mut settings = self.catalog().group(place, name)?.settings.clone();
        change(&mut settings)?;
        let mut batch = Batch::new();
        rows::put_group(&mut batch, place, name, &settings);
        self.rows.commit(batch).await?;
        if let Some(group) = self.catalog_mut().group_mut(place, name) {
            group.settings = settings;
        }
        Ok(())
    }

    /// Makes a stream.
    pub(crate) async fn create_stream(
        &self,
        place: &Place,
        group: &str,
        name: String,
        now: Millis,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        if self.catalog().group(place, group)?.streams.contains_key(&name) {
            return Err(Error::StreamExists);
        }
        let mut batch = Batch::new();
        let stream = self.put_stream(&mut batch, place, group, &name, now);
        self.rows.commit(batch).await?;
        self.catalog_mut().add_stream(place, group, name, stream);
        Ok(())
    }

    /// The stream of this name; it and its group are made if they are missing.
    pub(crate) async fn ensure_stream(
        &self,
        place: &Place,
        group: &str,
        name: &str,
        now: Millis,
    ) -> Result<Stream, Error> {
        if let Ok(stream) = self.stream(place, group, name) {
            return Ok(stream);
        }
        let _turn = self.turn().await;
        let group_is_missing = match self.stream(place, group, name) {
            Ok(stream) => return Ok(stream),
            Err(error) => matches!(error, Error::GroupNotFound),
        };
        let mut batch = Batch::new();
        if group_is_missing {
            self.catalog().admits(place, group)?;
            rows::put_group(&mut batch, place, group, &Settings::plain(now));
        }
        let stream = self.put_stream(&mut batch, place, group, name, now);
        self.rows.commit(batch).await?;
        let mut catalog = self.catalog_mut();
        if group_is_missing {
            catalog.add_group(place.clone(), group.to_owned(), Settings::plain(now));
        }
        catalog.add_stream(place, group, name.to_owned(), stream);
        Ok(stream)
    }

    /// Removes a stream. Its events go with the next round of retention.
    pub(crate) async fn delete_stream(
        &self,
        place: &Place,
        group: &str,
        name: &str,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        self.stream(place, group, name)?;
        let mut batch = Batch::new();
        rows::delete_stream(&mut batch, place, group, name);
        self.rows.commit(batch).await?;
        if let Some(group) = self.catalog_mut().group_mut(place, group) {
            group.streams.remove(name);
        }
        Ok(())
    }

    /// Adds a new stream to a batch.
    fn put_stream(
        &self,
        batch: &mut Batch,
        place: &Place,
        group: &str,
        name: &str,
        now: Millis,
    ) -> Stream {
        let stream = Stream { id: self.catalog().last_stream + 1, created: now };
        rows::put_stream(batch, place, group, name, stream);
        stream
    }
}
