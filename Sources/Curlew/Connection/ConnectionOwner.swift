import CurlewCore
import NIOCore

/// Processes the packets that a connection receives, and provides the bytes to write. Called on the event loop.
protocol ConnectionOwner: AnyObject, Sendable {
    /// CONNACK reported success. Returns whether the session is resumed; `nil` if the server violates the protocol.
    func opened(_ connection: ClientConnection, _ connack: ConnAck, to connect: Connect, now: Timestamp) -> Bool?

    /// Passes packets to the session. Stops after the first packet that concerns the connection itself, and sets `next`
    /// to the index after it. Replaces processed packets in the array, so that the array does not keep their payloads.
    func process(
        _ packets: inout [Packet], from next: inout Int, _ now: Timestamp, into batch: inout DeliveryBatch
    ) -> ConnectionEvent?

    /// Acknowledges and reports a PUBLISH that was skipped because it exceeds a limit.
    func process(_ skipped: PacketDecoder.SkippedPublish) -> ConnectionEvent?

    /// The connection has ended: the owner must not use it any more.
    func lost(_ connection: ClientConnection, _ end: ClientSession.ConnectionEnd)

    /// Returns all bytes to write; `nil` if there are none. Takes a buffer to reuse in exchange.
    func takeOutput(replacement: inout ByteBuffer) -> ByteBuffer?

    /// Returns the bytes to write before the connection is closed.
    func takeLastOutput() -> ByteBuffer

    /// Whether there are bytes to write after a read.
    var hasOutput: Bool { get }

    /// Whether too many answers wait to be written, so that the connection must stop reading.
    var hasManyAnswers: Bool { get }

    /// Whether a consumer's queue is full, so that the connection must stop reading.
    var isHoldingReading: Bool { get }

    /// The limits above which a new connection skips a PUBLISH instead of closing.
    func excessLeftOut(_ version: ProtocolVersion) -> PacketDecoder.Excess

    /// From the next connection on, PUBLISH packets that are too large are skipped.
    func leaveOutLargePublishes()

    /// A re-authentication has ended, with an error or successfully (`nil`).
    func reauthenticated(_ error: MQTTError?)
}

/// A packet that concerns the connection itself.
enum ConnectionEvent {
    case authenticate(Auth)
    case disconnected(Disconnect)
    case violation(ReasonCode, String)
}
