//! Tests of the whole project; see `tests/`. Nothing here is shared by them but what several need.
