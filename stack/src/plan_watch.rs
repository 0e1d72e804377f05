//! The plan in force, watched beside the calls and never read on their way.
