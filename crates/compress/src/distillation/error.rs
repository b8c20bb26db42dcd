/// Something wrong with a [`DistillConfig`](super::DistillConfig).
#[derive(Debug, Clone, PartialEq)]
pub struct DistillProblem {
    /// The key at fault, such as `features.student`; `teacher` for the teacher as a whole.
    pub key: &'static str,
    /// What is wrong.
    pub error: DistillError,
}

/// Why a network cannot learn from a teacher.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DistillError {
    /// A number out of its range.
    #[error("{what} is {value}; it must be {range}")]
    Range {
        /// Which.
        what: &'static str,
        /// The number given.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// Two networks of different numbers of outputs.
    #[error("the teacher has {teacher} outputs, and the student {student}")]
    Outputs {
        /// The teacher's.
        teacher: usize,
        /// The student's.
        student: usize,
    },
    /// A layer that does not exist.
    #[error("the {whose} has no layer `{name}`; it has: {}", layers.join(", "))]
    NoLayer {
        /// `teacher` or `student`.
        whose: &'static str,
        /// The name given.
        name: String,
        /// Its layers.
        layers: Vec<String>,
    },
    /// Two layers of different widths.
    #[error(
        "the teacher's `{teacher}` has {teacher_width} outputs, and the student's `{student}` {student_width}; a hint \
         takes layers of equal width"
    )]
    Widths {
        /// The teacher's layer.
        teacher: String,
        /// How many values it gives for one example.
        teacher_width: usize,
        /// The student's layer.
        student: String,
        /// How many values it gives for one example.
        student_width: usize,
    },
}
