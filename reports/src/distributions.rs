//! The few distributions that the verdict needs, from textbook formulas. Nothing here is random.

/// ln of the gamma function for x > 0 (Lanczos, g = 7, 9 terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = TERMS.iter().zip(1_u32..).fold(0.999_999_999_999_809_9, |sum, (term, i)| sum + term / (x + f64::from(i)));
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz; Numerical Recipes 6.4).
pub fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) { front * fraction(a, b, x) / a } else { 1.0 - front * fraction(b, a, 1.0 - x) / b }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let kept = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / kept(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..100_000_u32 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / kept(1.0 + even * d);
        c = kept(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / kept(1.0 + odd * d);
        c = kept(1.0 + odd / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    h
}

/// P(X <= k) for binomial X with `n` draws of probability `p`.
pub fn binomial_at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n { 1.0 } else { incomplete_beta((n - k) as f64, k as f64 + 1.0, 1.0 - p) }
}

/// The smallest k with P(X <= k) >= `level`.
pub fn binomial_quantile(level: f64, n: u64, p: f64) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if binomial_at_most(middle, n, p) >= level { high = middle } else { low = middle + 1 }
    }
    low
}

/// The central band that holds at least 99.9 % of a binomial: exact, without a normal
/// approximation.
pub fn binomial_band(n: u64, p: f64) -> (u64, u64) {
    (binomial_quantile(0.000_5, n, p), binomial_quantile(0.999_5, n, p))
}

/// P(T <= t) of Student's t with `df` degrees of freedom.
pub fn student_at_most(t: f64, df: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(df / 2.0, 0.5, df / (df + t * t));
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The t with P(T <= t) = `level`, by bisection.
pub fn student_quantile(level: f64, df: f64) -> f64 {
    let (mut low, mut high) = (-1e4, 1e4);
    // After 70 halvings, 2e4 is below the smallest difference of two numbers of this size.
    for _ in 0..70 {
        let middle = f64::midpoint(low, high);
        if student_at_most(middle, df) < level { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binomial_is_that_of_the_tables() {
        // Sums of exact fractions.
        for (k, n, p, expected) in [
            (0, 10, 0.5, 1.0 / 1024.0),
            (5, 10, 0.5, 638.0 / 1024.0),
            (9, 10, 0.5, 1023.0 / 1024.0),
            (2, 3, 0.1, 0.999),
            (0, 300, 0.01, 0.99_f64.powi(300)),
        ] {
            assert!((binomial_at_most(k, n, p) - expected).abs() < 1e-12, "{k} of {n} at {p}");
        }
    }

    #[test]
    fn the_band_is_exact() {
        let mass = |n: u64, p: f64| -> Vec<f64> {
            let mut row = vec![(1.0 - p).powi(n as i32)];
            for k in 1..=n {
                row.push(row[k as usize - 1] * (n - k + 1) as f64 / k as f64 * p / (1.0 - p));
            }
            row
        };
        for (n, p) in [(20, 0.5), (100, 0.1), (400, 0.5), (500, 0.03)] {
            let mut sum = 0.0;
            let cumulative: Vec<f64> = mass(n, p)
                .into_iter()
                .map(|m| {
                    sum += m;
                    sum
                })
                .collect();
            let low = cumulative.iter().position(|c| *c >= 0.0005).unwrap() as u64;
            let high = cumulative.iter().position(|c| *c >= 0.9995).unwrap() as u64;
            assert_eq!(binomial_band(n, p), (low, high), "{n} {p}");
        }
        assert_eq!(binomial_band(10, 1.0), (10, 10));
        assert_eq!(binomial_band(10, 0.0), (0, 0));
        assert_eq!(binomial_band(0, 0.5), (0, 0));
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (df, t) in [(1.0, 12.706), (5.0, 2.571), (11.0, 2.201), (30.0, 2.042)] {
            assert!((student_quantile(0.975, df) - t).abs() < 1e-3, "{df}");
        }
    }
}
