//! no message ends a device's loop.

use std::collections::HashSet;

use crate::Event;

use super::register::about_device;
use crate::invariants::{Breach, Invariant, NOTHING};

#[derive(Default)]
pub(crate) struct DeviceGoesOn {
    provoked: HashSet<String>,
}

impl Invariant for DeviceGoesOn {
    fn id(&self) -> &'static str {
        "A-7"
    }

    fn rule(&self) -> &'static str {
        "no message ends a device's loop"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        match event {
            Event::DeviceProvoked { thing, .. } => {
                self.provoked.insert(thing.clone());
                (Vec::new(), 1)
            }
            Event::DeviceEnded { thing, at, why } => {
                let mut breach = about_device(thing, *at);
                breach.asked = format!("the device {thing} on MQTT");
                breach.answered = format!("its loop ended: {why}");
                breach.expected = "the loop goes on".to_owned();
                // An end without a provocation was still looked at.
                (vec![breach], u64::from(!self.provoked.contains(thing)))
            }
            _ => NOTHING,
        }
    }
}
