//! The cloud services that the functions call, on this machine.

pub mod verifiedpermissions;
