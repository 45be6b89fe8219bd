//! Several reading ends of one item type, read as one.

use super::{Closed, Consumer, ManyReaders};

/// Reads several consumers as one.
///
/// Each loan comes from one input; when all of it was released, the next input in turn that has
/// something is next, so a busy input does not starve the others. Items of one input keep their
/// order, between inputs there is none. [`Closed`] when every input is, at once when there are none.
/// No item is copied and nothing is buffered. Inputs of different types can be boxed.
///
/// ```
/// use dragonfly_core::queue::{self, Closed, Consumer, Producer, PushError, Queue};
///
/// let (mut binance, one) = queue::spsc(8).open();
/// let (mut kraken, two) = queue::mpsc(8).open();
/// let inputs: [Box<dyn Consumer<Item = i32>>; 2] = [Box::new(one), Box::new(two)];
/// let mut both = queue::merge(inputs);
///
/// binance.push(1)?;
/// binance.push(2)?;
/// kraken.push(3)?;
/// assert_eq!(both.ready(), Ok(&[1, 2][..]));
/// both.release(2);
/// assert_eq!(both.ready(), Ok(&[3][..]));
/// both.release(1);
/// drop((binance, kraken));
/// assert_eq!(both.ready(), Err(Closed));
/// # Ok::<(), PushError<i32>>(())
/// ```
pub fn merge<C: Consumer>(inputs: impl IntoIterator<Item = C>) -> Merge<C> {
    Merge {
        inputs: inputs.into_iter().collect(),
        turn: 0,
        lent: 0,
    }
}

/// The consumer made by [`merge`].
#[derive(Clone, Debug)]
pub struct Merge<C> {
    inputs: Vec<C>,
    /// The input that lent last, or is asked first.
    turn: usize,
    /// How much of its loan is not released.
    lent: usize,
}

impl<C: Consumer> Merge<C> {
    /// Moves the turn to the next input that has something.
    fn choose(&mut self) -> Result<(), Closed> {
        let mut closed = 0;
        for _ in 0..self.inputs.len() {
            match self.inputs[self.turn].ready() {
                Ok([]) => {}
                Ok(items) => {
                    self.lent = items.len();
                    return Ok(());
                }
                Err(Closed) => closed += 1,
            }
            self.turn = (self.turn + 1) % self.inputs.len();
        }
        if closed == self.inputs.len() {
            Err(Closed)
        } else {
            Ok(())
        }
    }
}

impl<C: Consumer> Consumer for Merge<C> {
    type Item = C::Item;

    fn ready(&mut self) -> Result<&[C::Item], Closed> {
        if self.lent == 0 {
            self.choose()?;
        }
        if self.lent == 0 {
            return Ok(&[]);
        }
        let items = self.inputs[self.turn].ready()?;
        // No more than was first lent, or an input that is never empty would keep its turn.
        Ok(&items[..self.lent])
    }

    fn release(&mut self, count: usize) {
        assert!(
            count <= self.lent,
            "released {count} of {} lent items",
            self.lent
        );
        if count == 0 {
            return;
        }
        self.inputs[self.turn].release(count);
        self.lent -= count;
        if self.lent == 0 {
            self.turn = (self.turn + 1) % self.inputs.len();
        }
    }
}

impl<C: ManyReaders> ManyReaders for Merge<C> {}
