//! Reading documents: YAML, then JSON, then the [intermediate representation](ir).

pub mod canon;
mod fault;
pub mod ir;
pub mod json_schema;
pub mod lint;
mod load;
pub mod names;

pub use fault::{Fault, Faults};
pub use load::{load, load_file, read};
