//! Reading documents: YAML, then JSON, then the [intermediate representation](ir).

mod fault;
pub mod ir;
pub mod json_schema;
mod load;
pub mod names;

pub use fault::{Fault, Faults};
pub use load::{load, load_file, read};
