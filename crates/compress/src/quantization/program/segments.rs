//! Which steps go through the examples one by one.

use super::{Segment, Slot, step::Step};

/// Steps that take one example at a time, side by side; what none but they read needs room for one example only.
pub(super) fn segments(steps: Vec<Step>, slots: &mut [Slot]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for step in steps {
        let each = step.takes_one();
        match segments.last_mut() {
            Some(segment) if segment.each && each => segment.steps.push(step),
            _ => segments.push(Segment { steps: vec![step], each }),
        }
    }
    for (slot, room) in slots.iter_mut().enumerate().skip(1) {
        let touched = segments
            .iter()
            .filter(|segment| segment.steps.iter().any(|step| step.to == slot || step.from.contains(&slot)));
        let touched: Vec<bool> = touched.map(|segment| segment.each).collect();
        // The network's output is read at the end, which no segment is.
        let is_read =
            segments.iter().flat_map(|segment| &segment.steps).any(|step| step.from.contains(&slot));
        room.all = touched != [true] || !is_read;
    }
    segments
}
