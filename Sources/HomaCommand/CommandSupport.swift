// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HomaBench

/// The exit statuses of every command.
extension ExitCode {
    /// A threshold was missed.
    static let thresholdMissed = ExitCode(1)
    /// The command could not do its work.
    static let couldNotRun = ExitCode(2)
}

/// Turns any error of `body` into a usage error (exit status 64).
func usage<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch { throw ValidationError("\(error)") }
}

/// Runs `body`; an error becomes one line on standard error and exit status 2, except that a contradiction in the
/// arguments remains a usage error (exit status 64).
func orCouldNotRun<R>(_ body: () async throws -> R) async throws -> R {
    do {
        return try await body()
    } catch let error as ExitCode {
        throw error
    } catch let error as ValidationError {
        throw error
    } catch {
        note("error: \(error)")
        throw ExitCode.couldNotRun
    }
}

/// Progress and warnings: standard error, so that results can be piped.
func note(_ text: String) {
    writeAll("homa: \(text)\n", to: STDERR_FILENO)
}

/// Writes text at once, past the buffers of the C library.
func writeAll(_ text: String, to file: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        guard count > 0 || errno == EINTR else { return }
        bytes = bytes.dropFirst(max(0, count))
    }
}

/// Says loudly that a debug build measures nothing.
func warnIfDebug(_ environment: RunEnvironment) {
    if let warning = environment.debugWarning { writeAll("\(warning)\n", to: STDERR_FILENO) }
}

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return "–" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let rounded = (value * scale).rounded()
    let whole = Int64(rounded / scale)
    guard decimals > 0 else { return "\(whole)" }
    let digits = String(Int64(abs(rounded) - abs(Double(whole)) * scale))
    let sign = rounded < 0 && whole == 0 ? "-" : ""
    return "\(sign)\(whole)." + String(repeating: "0", count: decimals - digits.count) + digits
}

/// Nanoseconds as microseconds.
func microseconds(_ nanoseconds: UInt64) -> String { fixed(Double(nanoseconds) / 1000, 1) }

/// Bits per second as Gb/s.
func gigabits(_ bitsPerSecond: Double) -> String { fixed(bitsPerSecond / 1e9, 2) }
