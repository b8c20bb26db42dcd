//! Whether an attribution can be believed.
