package import CurlewCore
import CurlewTransport
import NIOCore

// Packet-level methods, for tests of the client itself.
extension ScriptedConnection {
    /// The protocol version of the client's CONNECT.
    package var version: ProtocolVersion { self.state.change { $0.version } }

    /// Returns the client's next packet. Skips PINGREQ unless ``answersPings`` is off.
    package func receive() async throws -> Packet {
        let result: Result<Packet, ScriptError> = try await self.state.wait(for: "a packet", within: self.patience) {
            state in
            if !state.received.isEmpty { return .success(state.received.removeFirst()) }
            if let failure = state.failure {
                return .failure(ScriptError("The client sent bytes that are not MQTT: \(failure)"))
            }
            return state.isClosed ? .failure(ScriptError("Expected a packet, but the connection was closed.")) : nil
        }
        return try result.get()
    }

    /// Reads the next packet, which must equal `expected`.
    package func expect(_ expected: Packet) async throws {
        let packet = try await self.receive()
        guard packet == expected else { throw ScriptError("Expected \(expected), but received \(packet).") }
    }

    /// Whether the connection answers PINGREQ automatically. Default: `true`.
    package var answersPings: Bool {
        get { self.state.change { $0.answersPings } }
        set { self.state.change { $0.answersPings = newValue } }
    }

    package func receiveConnect() async throws -> Connect {
        switch try await self.receive() {
        case .connect(let packet): return packet
        case let other: throw ScriptError("Expected CONNECT, but received \(other).")
        }
    }

    /// Reads CONNECT and answers with `connack`.
    @discardableResult
    package func answerConnect(_ connack: ConnAck) async throws -> Connect {
        let connect = try await self.receiveConnect()
        try self.send(.connack(connack))
        return connect
    }

    package func receiveSubscribe() async throws -> Subscribe {
        switch try await self.receive() {
        case .subscribe(let packet): return packet
        case let other: throw ScriptError("Expected SUBSCRIBE, but received \(other).")
        }
    }

    package func receivePublishPacket() async throws -> Publish {
        switch try await self.receive() {
        case .publish(let packet): return packet
        case let other: throw ScriptError("Expected PUBLISH, but received \(other).")
        }
    }

    /// Sends packets so that they arrive in one read.
    package func send(_ packets: Packet...) throws {
        var bytes = ByteBuffer()
        let version = self.version
        for packet in packets {
            do { try packet.encode(into: &bytes, version: version) } catch { throw ScriptError("\(error)") }
        }
        self.write(bytes)
    }

    /// Breaks the link like a failing network.
    package func fail() {
        self.link.fail(TransportError(.connectionLost, "The network failed."))
    }

    /// Creates a packet identifier for a message to the client.
    package func makePacketID() -> PacketID? {
        PacketID(
            self.state.change { state in
                state.lastPacketID = state.lastPacketID == .max ? 1 : state.lastPacketID + 1
                return state.lastPacketID
            })
    }

    func makeHandler() -> any LinkHandler { Handler(self) }

    /// Receives events from the link.
    final class Handler: LinkHandler {
        private let connection: ScriptedConnection
        private var decoder = PacketDecoder(from: .client, version: .v5_0, maximumPacketSize: .max)
        private var unread = ByteBuffer()

        fileprivate init(_ connection: ScriptedConnection) { self.connection = connection }

        func linkRead(_ bytes: ByteBuffer) {
            self.unread.writeImmutableBuffer(bytes)
            var packets: [Packet] = []
            var failure: DecodingError?
            do throws(DecodingError) {
                while let packet = try self.decoder.decode(from: &self.unread) { packets.append(packet) }
            } catch {
                failure = error
            }
            self.unread.discardReadBytes()
            let (version, decodingError) = (self.decoder.version, failure)
            let pings = self.connection.state.change { [packets] state in
                state.version = version
                state.failure = state.failure ?? decodingError
                guard state.answersPings else {
                    state.received += packets
                    return 0
                }
                let others = packets.filter { $0 != .pingreq }
                state.received += others
                return packets.count - others.count
            }
            for _ in 0..<pings { self.connection.link.write(ByteBuffer(bytes: [0xD0, 0])) }
        }

        func linkReadCompleted() {}
        func linkWritabilityChanged(_ isWritable: Bool) {}
        func linkClosed(_ error: TransportError?) { self.connection.state.change { $0.isClosed = true } }
    }
}

@available(*, unavailable)
extension ScriptedConnection.Handler: Sendable {}
