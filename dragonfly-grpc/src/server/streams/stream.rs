//! One stream: what is shown of it, and how that is numbered.

use bytes::Bytes;
use dragonfly_core::clock::UtcNanos;

use crate::{
    encode::{Encoder, Form},
    server::{stats::Stats, view::View},
};

/// A stream: the view that is shown and its encodings.
#[derive(Debug)]
pub(super) struct Stream<V> {
    pub(super) view: V,
    ts_emit: UtcNanos,
    /// What is added to the number of a published view when it is shown: views were shown that were
    /// not published, or not shown though they were. It wraps, so that it can be less than nothing.
    shift: u64,
    /// The newest published view, with its own number, while it is not shown: the flow is in doubt.
    hidden: Option<Box<V>>,
    /// It has ended; a new view revives it.
    pub(super) withdrawn: bool,
    frames: Vec<(Form, Bytes)>,
}

impl<V: View> Stream<V> {
    pub(super) fn new(view: V, ts_emit: UtcNanos) -> Self {
        Self {
            view,
            ts_emit,
            shift: 0,
            hidden: None,
            withdrawn: false,
            frames: Vec::new(),
        }
    }

    /// Shows a published view.
    pub(super) fn show(&mut self, published: &V, ts_emit: UtcNanos) {
        self.withdrawn = false;
        self.replace(published.clone(), ts_emit);
        if self.shift != 0 {
            let seq = published.seq().wrapping_add(self.shift);
            self.view.renumber(seq);
        }
    }

    /// Shows the view that follows, which was not published.
    pub(super) fn interject(&mut self, view: V, ts_emit: UtcNanos) {
        self.shift = self.shift.wrapping_add(1);
        self.replace(view, ts_emit);
    }

    /// Keeps what is shown for later, under the number it was published with.
    pub(super) fn hide(&mut self) {
        let mut newest = self.view.clone();
        newest.renumber(newest.seq().wrapping_sub(self.shift));
        self.keep(newest);
    }

    /// Keeps a view that was published for later.
    pub(super) fn keep(&mut self, published: V) {
        self.hidden = Some(Box::new(published));
    }

    /// A stream that has just begun is not shown as live, under the number its first view has.
    pub(super) fn begin_in_doubt(&mut self) {
        self.hide();
        let seq = self.view.seq();
        self.view = self.view.doubted();
        self.view.renumber(seq);
    }

    /// Shows the newest published view if it is hidden, under the number that is next.
    pub(super) fn reveal(&mut self, ts_emit: UtcNanos) -> bool {
        let Some(newest) = self.hidden.take() else {
            return false;
        };
        let next = self.view.seq().wrapping_add(1);
        self.shift = next.wrapping_sub(newest.seq());
        self.show(&newest, ts_emit);
        true
    }

    /// Gives up the hidden view: what is published next follows what is shown.
    pub(super) fn forget_hidden(&mut self) {
        if let Some(newest) = self.hidden.take() {
            self.shift = self.view.seq().wrapping_sub(newest.seq());
        }
    }

    fn replace(&mut self, view: V, ts_emit: UtcNanos) {
        self.view = view;
        self.ts_emit = ts_emit;
        self.frames.clear();
    }

    /// The newest view in `form`, shared.
    pub(super) fn frame(&mut self, form: Form, encoder: &mut Encoder, stats: &Stats) -> Bytes {
        if let Some((_, frame)) = self.frames.iter().find(|(f, _)| *f == form) {
            return frame.clone();
        }
        let frame = encoder.frame(&self.view, form, self.ts_emit);
        stats.encoded.add(1);
        self.frames.push((form, frame.clone()));
        frame
    }
}
