import Curlew
import CurlewCore
import CurlewTesting
import ServiceLifecycle
import ServiceLifecycleTestKit
import Testing

@Suite("A client as a service", .bounded)
struct ServiceWireTests {
    let server = ScriptedServer()

    @Test("run() connects, with retries, and drains at a graceful shutdown")
    func gracefulShutdown() async throws {
        let client = try self.server.makeClient { $0.reconnectAtOnce() }
        try await testGracefulShutdown { trigger in
            async let run: Void = client.run()
            try await self.server.accept().refuseConnect(.serverUnavailable)
            let connection = try await self.server.acceptAgain()
            let delivery = try client.enqueue("x", to: "t", qos: .atLeastOnce)
            let packet = try await connection.receivePublishPacket()
            trigger.triggerGracefulShutdown()
            try await client.wait(for: .disconnecting)
            try connection.send(.puback(Acknowledgement(try #require(packet.packetID))))
            try await connection.receiveDisconnect()
            try await run
            try await delivery.outcome()
        }
    }

    @Test("run() throws the error that stopped the client")
    func failure() async throws {
        let client = try self.server.makeClient()
        let run = Task { try await client.run() }
        try await self.server.accept().refuseConnect(.badUserNameOrPassword)
        let error = try await CurlewTests.failure { try await run.value }
        #expect(error.reasonCode == .badUserNameOrPassword)
    }

    @Test("run() returns if the shutdown comes before the first connection")
    func shutdownWhileConnecting() async throws {
        let client = try self.server.makeClient()
        try await testGracefulShutdown { trigger in
            async let run: Void = client.run()
            let connection = try await self.server.accept()
            _ = try await connection.receiveConnect()
            trigger.triggerGracefulShutdown()
            try await run
        }
        #expect(client.state == .disconnected)
    }
}
