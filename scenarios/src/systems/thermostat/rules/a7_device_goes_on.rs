//! no message ends a device's loop.

use std::collections::HashSet;

use crate::Event;

use super::register::{Register, about_device};
use crate::invariants::{Moment, NOTHING, Rule};

pub(crate) fn device_goes_on() -> Rule<Register> {
    let mut provoked = HashSet::new();
    Rule::<Register>::new("A-7", "no message ends a device's loop", move |_, _, moment| match moment {
        Moment::Event(Event::DeviceProvoked { thing, .. }) => {
            provoked.insert(thing.clone());
            (Vec::new(), 1)
        }
        Moment::Event(Event::DeviceEnded { thing, at, why }) => {
            let mut breach = about_device(thing, *at);
            breach.asked = format!("the device {thing} on MQTT");
            breach.answered = format!("its loop ended: {why}");
            breach.expected = "the loop goes on".to_owned();
            // A loop that ended without a provocation is a check too.
            (vec![breach], u64::from(!provoked.contains(thing)))
        }
        _ => NOTHING,
    })
}
