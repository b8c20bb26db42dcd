//! What a recipe may hold: the schema of its type, resolved into a form that is easy to walk.

use serde_json::Value as Json;

use crate::document::Table;

/// What one value may be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Any,
    Bool,
    Integer(Range<i128>),
    /// `single` is true for an `f32`.
    Number {
        range: Range<f64>,
        single: bool,
    },
    Text {
        least: u64,
        most: Option<u64>,
    },
    Choice(Vec<Choice>),
    Array(Box<ArrayShape>),
    Table(TableShape),
    Union(Vec<Shape>),
}

/// One of several texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) doc: String,
}

/// Bounds, of which either may be missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range<N> {
    pub(crate) low: Option<Bound<N>>,
    pub(crate) high: Option<Bound<N>>,
}

/// A bound, which is `open` if it is itself outside the range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bound<N> {
    pub(crate) at: N,
    pub(crate) open: bool,
}

/// What an array may hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArrayShape {
    /// The first elements, for a tuple.
    pub(crate) first: Vec<Shape>,
    pub(crate) rest: Shape,
    pub(crate) least: u64,
    pub(crate) most: Option<u64>,
}

/// What a table may hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TableShape {
    pub(crate) fields: Vec<Field>,
    /// Keys whose value says which further keys there are.
    pub(crate) switches: Vec<Switch>,
    /// What any other key may hold, for a map.
    pub(crate) extra: Option<Box<Shape>>,
}

/// A key of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    pub(crate) default: Option<Json>,
    pub(crate) doc: String,
}

/// A key, always required, whose text chooses a variant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Switch {
    pub(crate) tag: String,
    pub(crate) variants: Vec<Variant>,
}

/// What a table may hold beside its common keys when its tag has one value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) table: TableShape,
}

/// The part of a table's shape that counts for the tags which it holds.
#[derive(Debug, Default)]
pub(crate) struct Active<'s> {
    pub(crate) fields: Vec<&'s Field>,
    /// Switches whose tag names a variant.
    pub(crate) settled: Vec<(&'s Switch, &'s Variant)>,
    /// Switches whose tag is missing or wrong.
    pub(crate) open: Vec<&'s Switch>,
    /// Keys of the variants of open switches.
    pub(crate) doubtful: Vec<&'s Field>,
    pub(crate) extra: Option<&'s Shape>,
}

impl Shape {
    /// The table that this may be, if it may be one.
    pub(crate) fn as_table(&self) -> Option<&TableShape> {
        match self {
            Self::Table(table) => Some(table),
            Self::Union(shapes) => shapes.iter().find_map(Self::as_table),
            _ => None,
        }
    }
}

impl TableShape {
    /// The only switch, whose variant may be written in place of the table.
    pub(crate) fn shorthand(&self) -> Option<&Switch> {
        match self.switches.as_slice() {
            [switch] => Some(switch),
            _ => None,
        }
    }

    /// What counts for a table with these tags.
    pub(crate) fn active<'s>(&'s self, table: &Table) -> Active<'s> {
        let mut active = Active::default();
        self.activate(table, &mut active);
        active
    }

    fn activate<'s>(&'s self, table: &Table, active: &mut Active<'s>) {
        active.fields.extend(&self.fields);
        active.extra = active.extra.or(self.extra.as_deref());
        for switch in &self.switches {
            match table.text(&switch.tag).and_then(|name| switch.variant(name)) {
                Some(variant) => {
                    active.settled.push((switch, variant));
                    variant.table.activate(table, active);
                }
                None => {
                    active.open.push(switch);
                    switch.variants.iter().for_each(|variant| variant.table.every(&mut active.doubtful));
                }
            }
        }
    }

    /// The fields of this table and of all its variants.
    fn every<'s>(&'s self, fields: &mut Vec<&'s Field>) {
        fields.extend(&self.fields);
        for variant in self.switches.iter().flat_map(|switch| &switch.variants) {
            variant.table.every(fields);
        }
    }

    /// Whether this key can stand in the table, with whatever tags.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.fields.iter().any(|field| field.name == key)
            || self.switches.iter().any(|switch| {
                switch.tag == key || switch.variants.iter().any(|variant| variant.table.knows(key))
            })
    }
}

impl Switch {
    /// The variant with this name.
    pub(crate) fn variant(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }

    /// The names of the variants.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.variants.iter().map(|variant| variant.name.as_str()).collect()
    }
}

impl<'s> Active<'s> {
    /// The field with this name, one that is certain before one that is doubtful.
    pub(crate) fn field(&self, name: &str) -> Option<&'s Field> {
        self.fields.iter().chain(&self.doubtful).find(|field| field.name == name).copied()
    }

    /// The switch with this tag.
    pub(crate) fn switch(&self, tag: &str) -> Option<&'s Switch> {
        let settled = self.settled.iter().map(|(switch, _)| *switch);
        settled.chain(self.open.iter().copied()).find(|switch| switch.tag == tag)
    }

    /// Every key that may stand here, the tags last.
    pub(crate) fn keys(&self) -> Vec<&'s str> {
        let fields = self.fields.iter().chain(&self.doubtful).map(|field| field.name.as_str());
        let settled = self.settled.iter().map(|(switch, _)| switch.tag.as_str());
        let mut keys = Vec::new();
        for key in fields.chain(settled).chain(self.open.iter().map(|switch| switch.tag.as_str())) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

impl<N: PartialOrd + Copy> Range<N> {
    /// Whether the value lies within the bounds.
    pub(crate) fn contains(&self, value: N) -> bool {
        let above = |bound: &Bound<N>| if bound.open { value > bound.at } else { value >= bound.at };
        let below = |bound: &Bound<N>| if bound.open { value < bound.at } else { value <= bound.at };
        self.low.as_ref().is_none_or(above) && self.high.as_ref().is_none_or(below)
    }
}
