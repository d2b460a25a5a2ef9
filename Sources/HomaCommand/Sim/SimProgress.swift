// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBench
import HomaPosix
import HomaScenarios

/// How far simulations have come: one line on standard error, rewritten in place on a terminal.
struct ProgressLine {
    private let isOn: Bool
    private let isTerminal: Bool
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var lastShown: ContinuousClock.Instant?
    private var isVisible = false

    init(_ options: ProgressOptions) {
        isTerminal = isatty(STDERR_FILENO) == 1
        isOn = options.progress ?? isTerminal
        start = clock.now
    }

    /// - Parameters:
    ///   - done: simulations that this process has finished.
    ///   - total: how many it has to do.
    ///   - packetHops: of those that are finished.
    mutating func show(done: Int, total: Int, packetHops: UInt64, _ progress: PoolProgress) {
        guard isOn, isDue else { return }
        lastShown = clock.now
        let elapsed = (clock.now - start) / .seconds(1)
        let hops = progress.running.reduce(packetHops) { $0 + $1.report.packetHops }
        let share = progress.running.reduce(Double(done)) { $0 + $1.report.fraction } / Double(max(1, total))
        var text = total > 1 ? "\(done) of \(total) done, \(progress.running.count) running, " : ""
        text += "\(fixed(share * 100, 1)) %, \(fixed(Double(hops) / max(elapsed, 1e-3) / 1e6, 2)) M packet-hops/s"
        if share > 0.005 { text += ", \(Self.time(elapsed * (1 - share) / share)) left" }
        if isTerminal {
            writeAll("\r\u{1B}[Khoma: \(text)", to: STDERR_FILENO)
            isVisible = true
        } else {
            note(text)
        }
    }

    /// Takes the line away, before something else is written.
    mutating func clear() {
        if isVisible { writeAll("\r\u{1B}[K", to: STDERR_FILENO) }
        isVisible = false
    }

    private var isDue: Bool {
        guard let lastShown else { return true }
        return clock.now - lastShown > (isTerminal ? .milliseconds(200) : .seconds(2))
    }

    /// Seconds as `42 s`, `3 min 05 s` or `2 h 10 min`.
    static func time(_ seconds: Double) -> String {
        let whole = Int(min(seconds, 1e9).rounded(.up))
        if whole < 100 { return "\(whole) s" }
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if whole < 3600 { return "\(whole / 60) min \(two(whole % 60)) s" }
        return "\(whole / 3600) h \(two(whole % 3600 / 60)) min"
    }
}
