// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaBuffers

/// What the next packets will probably bring: the rest of the message whose packet came last.
///
/// A driver that can tell the kernel where each packet's payload goes uses it to have a whole train put in place. A
/// forecast may be wrong without harm: the bytes it names have not arrived, so nothing is lost if others land there.
@frozen
public struct Forecast: Equatable, Sendable, BitwiseCopyable {
    /// The RPC that receives the message.
    public let rpc: RPCHandle
    /// Its identifier on our side: the peer's is that of the other side.
    public let id: RPCID
    /// Every byte before this one is here, and none from here on.
    public let offset: UInt32
    /// Bytes of the message.
    public let length: UInt32
}

extension Endpoint {
    /// The rest of the message that the last DATA packet belonged to; nil when that is complete, or has gaps, or has
    /// no buffers.
    public mutating func forecast() -> Forecast? {
        guard recentSlot != RPCStore.none, pool != nil, isInOrder(recentSlot) else { return nil }
        let rpc = rpcs.at(recentSlot)
        return Forecast(
            rpc: rpcs.handle(of: recentSlot), id: rpc.pointee.id, offset: rpc.pointee.incoming.end,
            length: rpc.pointee.incoming.length)
    }

    /// Whether the bytes it names are still to come, and their places still this message's.
    @inline(__always)
    public mutating func stillExpects(_ forecast: Forecast) -> Bool {
        guard let slot = rpcs.resolve(forecast.rpc) else { return false }
        return isInOrder(slot) && rpcs.at(slot).pointee.incoming.end == forecast.offset
    }

    /// Where bytes of a message that is still expected belong.
    public mutating func place(_ forecast: Forecast, offset: UInt32, byteCount: UInt32) -> Placement {
        placement(rpcs.at(forecast.rpc.slot).pointee.incoming.lease, offset: offset, length: byteCount)
    }

    @inline(__always)
    mutating func isInOrder(_ slot: UInt32) -> Bool {
        let rpc = rpcs.at(slot)
        return rpc.pointee.state == .incoming && rpc.pointee.incoming.buffers == .held
            && rpc.pointee.incoming.gaps.isEmpty && !rpc.pointee.incoming.isComplete
    }
}
