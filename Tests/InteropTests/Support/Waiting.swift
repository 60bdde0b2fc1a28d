import CurlewTransport
import MosquittoFixture
import NIOCore
import Synchronization
import Testing

@testable import Curlew

/// Takes a subscription's messages one by one. Each is acknowledged when the next one is requested.
final class Inbox {
    private let subscription: MQTTSubscription
    private var iterator: MQTTSubscription.Iterator

    init(_ subscription: MQTTSubscription) {
        self.subscription = subscription
        self.iterator = subscription.makeAsyncIterator()
    }

    /// The next message.
    nonisolated(nonsending) func next() async throws -> MQTTMessage {
        guard let message = try await self.iterator.next() else {
            throw TestFailure("the subscription to \(self.subscription.filters) ended, or the test's time was over")
        }
        return message
    }

    /// The next messages.
    nonisolated(nonsending) func next(_ count: Int) async throws -> [MQTTMessage] {
        var messages: [MQTTMessage] = []
        while messages.count < count { messages.append(try await self.next()) }
        return messages
    }
}

extension MQTTClient {
    /// Breaks the connection without DISCONNECT, as when a cable is pulled.
    func cutConnection() {
        guard let connection = self.engine.state.withLock({ $0.connection.bound }) else { return }
        self.engine.eventLoop.execute { connection.value.link.close() }
    }

    /// Breaks the connection, and returns when the client has reconnected.
    func cutAndReconnect() async throws -> Bool {
        let events = self.events
        self.cutConnection()
        return try await Self.nextConnection(events)
    }

    /// Waits for the next connected event, and returns whether the session was resumed.
    static func nextConnection(_ events: some AsyncSequence<MQTTEvent, Never>) async throws -> Bool {
        for await event in events {
            if case .connected(_, _, let isResumed) = event { return isResumed }
            if case .stopped(let error) = event {
                throw TestFailure("the client has stopped: \(String(describing: error))")
            }
        }
        throw TestFailure("the test's time was over before the client was connected again")
    }
}

/// Returns the error of an operation that must fail.
func errorOf<Value>(_ operation: () async throws -> Value) async throws -> MQTTError {
    do {
        let value = try await operation()
        throw TestFailure("no error, but \(value)")
    } catch let error as MQTTError {
        return error
    }
}
