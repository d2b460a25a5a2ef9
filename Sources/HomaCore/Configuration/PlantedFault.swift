// SPDX-License-Identifier: Apache-2.0

/// Faults that can be put into an endpoint on purpose, one for each rule that a run of the swarm is judged by: a judge
/// that finds none of them proves nothing.
///
/// Only where `HOMA_PLANTED_FAULTS` is defined, as in debug builds; elsewhere the compiler answers every question.
@_spi(Testing)
public enum PlantedFault: String, CaseIterable, Sendable, BitwiseCopyable {
    /// A call that fails is told twice.
    case endsTwice
    /// The part of a packet behind the end of a bpage is stored a little before its place.
    case storesAside
    /// A packet belongs to the RPC of the packet before, whatever it says.
    case mixesCalls
    /// Nothing is remembered of requests that ran.
    case forgetsFinished
    /// A client is taken for whoever is at its address.
    case ignoresIdentity
    /// A request that a restarted server may have run is sent again.
    case ignoresRestart
    /// Nothing is remembered of one-way messages that were delivered.
    case forgetsMessages
    /// A one-way message is reported as sent when its last byte has left.
    case reportsEarly
    /// Nobody is asked for what does not come.
    case waitsForever
    /// A message that was granted has no timer any more.
    case losesTimer
    /// The time of a call is up, and nobody looks.
    case missesDeadline
    /// Buffers of a message that arrived in part do not go back.
    case keepsLease
    /// Payload is released twice.
    case releasesTwice
    /// A grant has everything sent again.
    case repeatsOnGrant
    /// What only peers with extensions understand is sent to all.
    case marksForAll
    /// Nobody can show that a request is wanted now.
    case refusesProof
    /// A host that drains refuses a request, and runs it.
    case runsRefused
    /// A response does not say that the application failed.
    case hidesFailure
    /// What a request says about the time that is left is not heard.
    case ignoresRemaining
    /// The application is told twice that nobody waits for a request.
    case abandonsTwice
}
