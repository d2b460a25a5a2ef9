// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HomaBench
import HomaPosix

/// The exit statuses of every command.
extension ExitCode {
    /// A threshold was missed, or something failed that was measured.
    static let failed = ExitCode(1)
    /// The command could not do its work.
    static let couldNotRun = ExitCode(2)
}

/// Why a command could not do its work.
struct CommandError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
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
    } catch let error as ValidationError {
        throw error
    } catch {
        throw toldExitCode(of: error)
    }
}

/// As `orCouldNotRun`, for commands that keep their thread.
func orCannotRun<R>(_ body: () throws -> R) throws -> R {
    do {
        return try body()
    } catch let error as ValidationError {
        throw error
    } catch {
        throw toldExitCode(of: error)
    }
}

/// The status that a command ends with because of an error; one that is no status itself is told first.
func toldExitCode(of error: any Error) -> ExitCode {
    if let code = error as? ExitCode { return code }
    // As the signal would have ended the process, had nobody to put things in order first.
    if let error = error as? OutputError, error.isReaderGone { return ExitCode(128 + SIGPIPE) }
    note("error: \(error)")
    return .couldNotRun
}

/// Says loudly that a debug build measures nothing.
func warnIfDebug(_ environment: RunEnvironment) {
    if let warning = environment.debugWarning { writeAll("\(warning)\n", to: STDERR_FILENO) }
}
