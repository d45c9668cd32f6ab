//! A market that moves: coins with fat-tailed prices that come, go and change their ranks.

/// Random numbers from a seed; the same on every machine.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// 0 to 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Roughly normal: the sum of twelve.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A move with fat tails, in natural logarithms: mostly small, now and then a coin dies or flies.
    pub(super) fn step(&mut self, size: f64) -> f64 {
        let normal = self.normal();
        match self.unit() {
            wild if wild < 0.002 => normal * 1.0,
            wild if wild < 0.02 => normal * 0.2,
            _ => normal * size,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Coin {
    pub(super) number: u64,
    pub(super) price: f64,
    pub(super) yesterday: f64,
    pub(super) supply: f64,
    pub(super) volume: f64,
    pub(super) quiet: bool,
    /// Unix seconds of its last trade.
    pub(super) traded_at: i64,
}

impl Coin {
    pub(super) fn id(&self) -> String {
        format!("c{:x}-coin", self.number.wrapping_mul(0x9E37_79B9) % 0xFF_FFFF)
    }

    pub(super) fn cap(&self) -> f64 {
        self.price * self.supply
    }
}

#[derive(Debug, Clone)]
pub(super) struct Market {
    pub(super) coins: Vec<Coin>,
    pub(super) dice: Dice,
    pub(super) at_s: i64,
    next: u64,
}

/// 2026-01-01T00:00:00Z.
pub(super) const BEGIN_S: i64 = 1_767_225_600;

impl Market {
    pub(super) fn new(seed: u64, coins: usize) -> Self {
        let mut market = Self { coins: Vec::new(), dice: Dice::new(seed), at_s: BEGIN_S, next: 1 };
        for _ in 0..coins {
            market.list();
        }
        market.rank();
        market
    }

    fn list(&mut self) {
        let dice = &mut self.dice;
        let cap = 10_f64.powf(5.0 + 6.5 * dice.unit() * dice.unit());
        let price = 10_f64.powf(4.0 - 9.0 * dice.unit());
        let coin = Coin {
            number: self.next,
            price,
            yesterday: price * (0.05 * dice.normal()).exp(),
            supply: cap / price,
            volume: cap * 10_f64.powf(-1.0 - 2.0 * dice.unit()),
            quiet: dice.chance(0.03),
            traded_at: self.at_s - 60,
        };
        self.next += 1;
        self.coins.push(coin);
    }

    /// Lets time pass: everything moves, some coins vanish and others appear.
    pub(super) fn pass(&mut self, seconds: i64) {
        self.at_s += seconds;
        let hours = seconds as f64 / 3600.0;
        let dice = &mut self.dice;
        // The worst hours of the market as a whole took a fifth off, the worst months a half.
        let weather = (dice.normal() * 0.006 * hours.sqrt()).clamp(-0.7, 0.7);
        for coin in &mut self.coins {
            if coin.quiet && dice.chance(0.7) {
                continue;
            }
            let step = weather + dice.step(0.012 * hours.sqrt());
            coin.price *= step.clamp(-2.3, 2.3).exp();
            coin.yesterday = coin.yesterday * 0.95 + coin.price * 0.05;
            coin.volume *= (0.15 * dice.normal()).exp();
            coin.volume = coin.volume.clamp(coin.cap() * 1e-6, coin.cap());
            coin.traded_at = self.at_s - (dice.unit() * 240.0) as i64;
        }
        let gone = dice.chance(0.3 * hours);
        if gone {
            let place = (self.dice.unit() * self.coins.len() as f64) as usize;
            self.coins.remove(place);
            self.list();
        }
        self.rank();
    }

    fn rank(&mut self) {
        self.coins.sort_by(|one, other| other.cap().total_cmp(&one.cap()));
    }
}
