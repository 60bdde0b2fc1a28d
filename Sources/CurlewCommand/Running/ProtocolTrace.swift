#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import NIOCore

extension MQTTConfiguration {
    /// Prints every packet of the client to standard error.
    mutating func trace() throws(MQTTError) {
        let connector = try self.makeConnector { error in
            Diagnostics.trace("Changed TLS files cannot be used; keeping the previous ones: \(error.message)")
        }
        self.connectorOverride = TracingConnector(base: connector)
    }
}

/// Wraps the client's links and decodes the bytes that they carry, so that the trace shows what is on the wire.
private struct TracingConnector: Connector {
    let base: any Connector

    func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop,
        handler: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError) {
        Diagnostics.trace("Connecting to \(endpoint)\(endpoint.security == .tls ? " with TLS" : "")")
        do throws(TransportError) {
            try await self.base.connect(to: endpoint, on: eventLoop) { link in
                let tracing = TracingLink(link)
                let owner = handler(tracing)
                return TracingHandler(tracing, owner: owner)
            }
        } catch {
            Diagnostics.trace("Connecting to \(endpoint) failed: \(error.message)")
            throw error
        }
    }
}

/// The client's side of a traced link.
private final class TracingLink: Link {
    private let base: any Link
    /// Used only on the event loop.
    let trace: NIOLoopBoundBox<PacketTrace>

    init(_ base: any Link) {
        self.base = base
        self.trace = NIOLoopBoundBox(PacketTrace(), eventLoop: base.eventLoop)
    }

    var eventLoop: any EventLoop { self.base.eventLoop }
    var peer: String { self.base.peer }
    var applicationProtocol: String? { self.base.applicationProtocol }
    var isWritable: Bool { self.base.isWritable }
    var unsentBytes: Int { self.base.unsentBytes }
    var heldBytes: Int { self.base.heldBytes }
    func write(_ bytes: ByteBuffer) {
        self.trace.value.sent(bytes)
        self.base.write(bytes)
    }
    func setReading(_ isOn: Bool) { self.base.setReading(isOn) }
    func drain(atMost maximum: Int, within limit: Duration, then body: @escaping @Sendable () -> Void) {
        self.base.drain(atMost: maximum, within: limit, then: body)
    }
    func closeAfterWrites(within limit: Duration) { self.base.closeAfterWrites(within: limit) }
    func close() { self.base.close() }
}

/// The broker's side of a traced link.
private final class TracingHandler: LinkHandler {
    private let link: TracingLink
    private let owner: any LinkHandler

    init(_ link: TracingLink, owner: any LinkHandler) {
        self.link = link
        self.owner = owner
    }

    func linkRead(_ bytes: ByteBuffer) {
        self.link.trace.value.received(bytes)
        self.owner.linkRead(bytes)
    }
    func linkReadCompleted() { self.owner.linkReadCompleted() }
    func linkWritabilityChanged(_ isWritable: Bool) { self.owner.linkWritabilityChanged(isWritable) }
    func linkClosed(_ error: TransportError?) {
        Diagnostics.trace("\(self.link.trace.value.name) closed" + (error.map { ": \($0.message)" } ?? ""))
        self.owner.linkClosed(error)
    }
}

@available(*, unavailable)
extension TracingHandler: Sendable {}

/// Decodes the bytes of both directions and prints the packets.
struct PacketTrace {
    private var outgoing = PacketDecoder(from: .client, version: .v5_0, maximumPacketSize: .max)
    private var incoming = PacketDecoder(
        from: .server, version: .v5_0, maximumPacketSize: .max, leavingOut: .properties)
    private var unread = ByteBuffer()
    private var isReadable = true
    private var identifier = ""
    private let show: (String) -> Void

    init(show: @escaping (String) -> Void = Diagnostics.trace) { self.show = show }

    var name: String { self.identifier.isEmpty ? "Client" : "Client \(self.identifier)" }

    mutating func sent(_ bytes: ByteBuffer) {
        var bytes = bytes
        // Packets of the client are always valid.
        while let packet = try? self.outgoing.decode(from: &bytes) {
            if case .connect(let connect) = packet {
                self.identifier = connect.clientIdentifier
                self.incoming.version = connect.version
            }
            self.show("\(self.name) sending \(packet.summary)")
        }
    }

    mutating func received(_ bytes: ByteBuffer) {
        guard self.isReadable else { return }
        self.unread.writeImmutableBuffer(bytes)
        do throws(DecodingError) {
            while let packet = try self.next() {
                if case .connack(let connack) = packet, self.identifier.isEmpty {
                    self.identifier = connack.properties.assigned ?? ""
                }
                self.show("\(self.name) received \(packet.summary)")
            }
        } catch {
            self.isReadable = false
            self.show("\(self.name) received bytes that are not MQTT: \(error)")
        }
        self.unread.discardReadBytes()
    }

    private mutating func next() throws(DecodingError) -> Packet? {
        if let packet = try self.incoming.decode(from: &self.unread) { return packet }
        return self.incoming.takeSkipped().map { .publish($0.publish) }
    }
}

extension Properties {
    fileprivate var assigned: String? {
        for case .assignedClientIdentifier(let identifier) in self.list { return identifier }
        return nil
    }
}
#endif
