import CurlewCore
import NIOCore

/// The client's side of a connection: takes what arrives, and provides what is sent. Called on the event loop, once per read or write.
protocol ConnectionOwner: AnyObject, Sendable {
    /// CONNACK came with success. Returns whether the session was resumed; `nil` if the server breaks the protocol.
    func opened(_ connection: ClientConnection, _ connack: ConnAck, to connect: Connect, now: Timestamp) -> Bool?

    /// Takes the packets of one read to the session. Stops after the first that concerns the connection itself, and moves
    /// `next` to those behind it. Leaves nothing of the packets that it has taken in the array.
    func process(
        _ packets: inout [Packet], from next: inout Int, _ now: Timestamp, into batch: inout DeliveryBatch
    ) -> ConnectionEvent?

    /// Acknowledges a PUBLISH that was left out because it is too large, and reports it.
    func process(_ skipped: PacketDecoder.SkippedPublish) -> ConnectionEvent?

    /// The connection must not be used any more.
    func lost(_ connection: ClientConnection, _ end: ClientSession.ConnectionEnd)

    /// Everything that is to be written, in exchange for a buffer that is not needed any more; `nil` if there is nothing.
    func takeOutput(replacement: inout ByteBuffer) -> ByteBuffer?

    /// What is left to be written before the connection is closed.
    func takeLastOutput() -> ByteBuffer

    /// Whether a read has led to something that is to be written.
    var hasOutput: Bool { get }

    /// Whether so many answers wait to be written that no more is to be read.
    var hasManyAnswers: Bool { get }

    /// Whether a consumer has as much as it wants, so that no more is to be read.
    var isHoldingReading: Bool { get }

    /// What is left out on a connection that begins now, where the server sends more than the client takes.
    func excessLeftOut(_ version: ProtocolVersion) -> PacketDecoder.Excess

    /// From the next connection on, messages that are too large are left out.
    func leaveOutLargePublishes()

    /// The server has consented to a re-authentication; or there is an error.
    func reauthenticated(_ error: MQTTError?)
}

/// A packet that concerns the connection itself.
enum ConnectionEvent {
    case authenticate(Auth)
    case disconnected(Disconnect)
    case violation(ReasonCode, String)
}
