//! Attacks on a classifier, and what is certain about it.
