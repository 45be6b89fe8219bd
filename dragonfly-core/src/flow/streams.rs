//! The wires of a service: one, or a tuple of several kinds.

use super::{Wire, graph::Make, stages::ServeStage};
use crate::{
    queue::Consumer,
    stage::{Serve, Service, Stage},
};

/// One wire, or a tuple of up to four, that a service can serve.
pub trait Streams<S> {
    /// The queues behind them.
    #[doc(hidden)]
    fn take(&self) -> Vec<usize>;

    /// The stage that serves them.
    #[doc(hidden)]
    fn into_stage(self, service: S) -> Make;
}

/// Hands what is ready to the service.
pub(super) trait Deliver<S> {
    /// True when anything moved.
    fn deliver(&mut self, service: &mut S) -> bool;

    /// Whether every stream has ended.
    fn is_closed(&self) -> bool;
}

/// A stream, until it has ended.
struct Stream<C>(Option<C>);

impl<S, C> Deliver<S> for Stream<C>
where
    C: Consumer,
    S: Serve<C::Item>,
{
    fn deliver(&mut self, service: &mut S) -> bool {
        let Some(input) = &mut self.0 else {
            return false;
        };
        let Ok(items) = input.ready() else {
            self.0 = None;
            service.withdraw();
            return true;
        };
        let count = items.len();
        if count > 0 {
            service.publish(items);
            input.release(count);
        }
        count > 0
    }

    fn is_closed(&self) -> bool {
        self.0.is_none()
    }
}

impl<S, C> Streams<S> for Wire<C>
where
    C: Consumer + 'static,
    S: Serve<C::Item> + 'static,
{
    fn take(&self) -> Vec<usize> {
        self.ids()
    }

    fn into_stage(self, service: S) -> Make {
        let stream = Stream(Some(self.into_input()));
        Box::new(move |_| Box::new(ServeStage::new(service, stream)) as Box<dyn Stage>)
    }
}

macro_rules! tuple {
    ($($c:ident $i:tt),+) => {
        impl<S, $($c),+> Deliver<S> for ($(Stream<$c>,)+)
        where
            $($c: Consumer, S: Serve<$c::Item>,)+
        {
            fn deliver(&mut self, service: &mut S) -> bool {
                let mut moved = false;
                $(moved |= self.$i.deliver(service);)+
                moved
            }

            fn is_closed(&self) -> bool {
                true $(&& self.$i.0.is_none())+
            }
        }

        impl<S, $($c),+> Streams<S> for ($(Wire<$c>,)+)
        where
            S: Service + 'static,
            $($c: Consumer + 'static, S: Serve<$c::Item>,)+
        {
            fn take(&self) -> Vec<usize> {
                let mut ids = Vec::new();
                $(ids.extend(self.$i.ids());)+
                ids
            }

            fn into_stage(self, service: S) -> Make {
                let streams = ($(Stream(Some(self.$i.into_input())),)+);
                Box::new(move |_| Box::new(ServeStage::new(service, streams)) as Box<dyn Stage>)
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
