//! A reading end whose items are made from another's.

use std::fmt;

use super::{Closed, Consumer, ManyReaders};

/// Reads `consumer` through `f`.
///
/// `f` is called once for each item, in order, when it is first lent; the results are kept until they
/// are released. Runs on the reader's thread; there is no queue and no stage in between.
///
/// ```
/// use dragonfly_core::queue::{self, Consumer, Producer, PushError, Queue};
///
/// let (mut writer, reader) = queue::spsc(8).open();
/// let mut lengths = queue::map(reader, |text: &&str| text.len());
/// writer.push("bid")?;
/// writer.push("offer")?;
/// assert_eq!(lengths.ready(), Ok(&[3, 5][..]));
/// # Ok::<(), PushError<&str>>(())
/// ```
pub fn map<C, F, U>(consumer: C, f: F) -> Map<C, F, U>
where
    C: Consumer,
    F: FnMut(&C::Item) -> U + Send,
    U: Send,
{
    Map {
        consumer,
        f,
        mapped: Vec::new(),
    }
}

/// The consumer made by [`map`].
pub struct Map<C, F, U> {
    consumer: C,
    f: F,
    /// What became of the items that are on loan from `consumer`.
    mapped: Vec<U>,
}

impl<C, F, U> Consumer for Map<C, F, U>
where
    C: Consumer,
    F: FnMut(&C::Item) -> U + Send,
    U: Send,
{
    type Item = U;

    fn ready(&mut self) -> Result<&[U], Closed> {
        let items = self.consumer.ready()?;
        // What was lent before comes first again, and has been mapped.
        let new = items.iter().skip(self.mapped.len());
        self.mapped.extend(new.map(&mut self.f));
        Ok(&self.mapped)
    }

    fn release(&mut self, count: usize) {
        self.mapped.drain(..count);
        self.consumer.release(count);
    }
}

impl<C: Clone, F: Clone, U> Clone for Map<C, F, U> {
    /// One more reader, which maps the items on loan here for itself.
    fn clone(&self) -> Self {
        Self {
            consumer: self.consumer.clone(),
            f: self.f.clone(),
            mapped: Vec::new(),
        }
    }
}

impl<C, F, U> ManyReaders for Map<C, F, U>
where
    C: ManyReaders,
    F: FnMut(&C::Item) -> U + Send + Clone,
    U: Send,
{
}

impl<C: fmt::Debug, F, U> fmt::Debug for Map<C, F, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("consumer", &self.consumer)
            .finish_non_exhaustive()
    }
}
