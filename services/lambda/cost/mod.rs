//! What AWS would take for what functions used here.
//!
//! `money` computes exactly, `prices` knows AWS's price list, `bill` puts both together, `period` says
//! for which days, `report` answers for a function, an alias, a day or a chain.
//!
//! Invariant: every sum is exact; nothing is rounded before it is shown.

mod bill;
mod money;
mod period;
mod prices;
mod report;

pub use period::Period;
pub use prices::{Prices, PricesError};
pub use report::{By, Query, Report};
