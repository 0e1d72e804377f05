//! How many requests an arrival makes to an endpoint on average: what an experiment can be told before it is run. The scenarios' tests hold
//! these numbers to their own decks.

/// `thermostat GET /items`: owners look once.
pub const THERMOSTAT_ITEMS: f64 = 0.35;

/// `thermostat POST /control/{id} Get`: an owner's look before the Set, one after it, and the single ones.
pub const THERMOSTAT_GET: f64 = 0.805;

/// `thermostat POST /control/{id} Set`, and the devices that follow.
pub const THERMOSTAT_SET: f64 = 0.795;

/// `clinic GET /appointment/{id}`.
pub const CLINIC_GET: f64 = 1.02;

/// `inactive-users sign-in`.
pub const SIGN_IN: f64 = 0.9;

/// `inactive-users refresh`.
pub const REFRESH: f64 = 0.1;

/// `GET /users` of a shape; `PUT` and `DELETE` are as many.
pub const USERS_LIST: f64 = 1.0;

/// `GET /users/{id}` of a shape.
pub const USERS_GET: f64 = 3.0;

/// `POST /users` of a shape: two journeys in three create twice.
pub const USERS_CREATE: f64 = 5.0 / 3.0;
