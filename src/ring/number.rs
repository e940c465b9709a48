//! The numbers of a call's parts, of a part's stages and of a call's legs.
//! Each is a type of its own, so that none is taken for another. All count from 0 inside; whatever
//! is printed counts from 1. A leg's number is printed nowhere.

use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::{Index, IndexMut};

macro_rules! numbers {
    ($($name:ident)*) => {$(
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub usize);

        impl<T> Index<$name> for Vec<T> {
            type Output = T;
            fn index(&self, number: $name) -> &T {
                &self[number.0]
            }
        }

        impl<T> IndexMut<$name> for Vec<T> {
            fn index_mut(&mut self, number: $name) -> &mut T {
                &mut self[number.0]
            }
        }
    )*};
}

macro_rules! printed {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0 + 1)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_u64(self.0 as u64 + 1)
            }
        }
    )*};
}

numbers! { PartId StageId LegId }
printed! { PartId StageId }
