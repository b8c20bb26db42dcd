//! The style sheet against WCAG 2.2: text at least 4.5 to 1 (criterion 1.4.3), lines at least 3 to 1 (1.4.11).

use std::collections::HashMap;

type Color = [f64; 3];

/// The colours of the light and of the dark theme: the first two `:root` rules, of which the second adds to the first.
fn themes() -> [HashMap<&'static str, Color>; 2] {
    let mut rules = include_str!("../src/html/style.css").split(":root").skip(1).map(|rule| {
        let body = rule.split('}').next().unwrap_or_default();
        let declarations = body.split([';', '{']).filter_map(|declaration| declaration.split_once(": #"));
        declarations.map(|(name, hex)| (name.trim(), color(hex))).collect::<HashMap<_, _>>()
    });
    let light = rules.next().unwrap_or_default();
    let mut dark = light.clone();
    dark.extend(rules.next().unwrap_or_default());
    [light, dark]
}

fn color(hex: &str) -> Color {
    [0, 2, 4].map(|at| {
        f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("six hexadecimal digits")) / 255.0
    })
}

/// Source: WCAG 2.2, "relative luminance" and "contrast ratio".
fn contrast(a: Color, b: Color) -> f64 {
    let luminance = |color: Color| {
        let [r, g, b] = color.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

#[test]
fn the_contrast_formula_is_that_of_wcag() {
    assert!((contrast(color("000000"), color("ffffff")) - 21.0).abs() < 1e-9);
    // The darkest grey of the WebAIM contrast checker that still fails on white.
    assert!((contrast(color("777777"), color("ffffff")) - 4.48).abs() < 0.005);
}

#[test]
fn words_and_lines_stand_out_in_both_themes() {
    for (theme, depth) in themes().into_iter().zip([0.6, 0.65]) {
        for ground in ["--paper", "--panel"] {
            for text in [
                "--ink",
                "--soft",
                "--accent",
                "--passed",
                "--failed",
                "--warning",
                "--undecided",
                "--skipped",
            ] {
                let ratio = contrast(theme[text], theme[ground]);
                assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
            }
        }
        for line in 0..7 {
            let ratio = contrast(theme[format!("--line-{line}").as_str()], theme["--paper"]);
            assert!(ratio >= 3.0, "--line-{line}: {ratio:.2}");
        }
        for shade in ["--hit", "--miss"] {
            let mixed = [0, 1, 2].map(|i| depth * theme[shade][i] + (1.0 - depth) * theme["--paper"][i]);
            let ratio = contrast(theme["--ink"], mixed);
            assert!(ratio >= 4.5, "--ink on the deepest {shade}: {ratio:.2}");
        }
    }
}
