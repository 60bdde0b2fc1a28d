import Curlew
import Foundation
import Logging
import Synchronization
import Testing

extension Trait where Self == TimeLimitTrait {
    /// A time limit: a test that hangs fails.
    static var bounded: Self { .timeLimit(.minutes(2)) }
}

/// What an example has done, in order.
final class Record: Sendable {
    private let entries = Mutex<[String]>([])

    var all: [String] { self.entries.withLock { $0 } }

    func add(_ entry: String) { self.entries.withLock { $0.append(entry) } }

    /// Waits until there is an entry with this text.
    func wait(for text: String) async throws {
        try await eventually("\"\(text)\"; there are \(self.all)") { self.all.contains { $0.contains(text) } }
    }

    /// A logger whose lines are entries.
    var logger: Logger { Logger(label: "example") { _ in Handler(record: self) } }

    private struct Handler: LogHandler {
        let record: Record
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            self.record.add("\(event.level) \(event.message)\(details.joined())")
        }
    }
}

extension MQTTClient {
    /// Publishes to a topic until somebody has subscribed to it.
    func waitForSubscriber(of topic: String, _ payload: String = "ready?") async throws {
        while try await self.publish(payload, to: topic, qos: .atLeastOnce) == .noMatchingSubscribers {
            await Task.yield()
        }
    }
}

/// Polls a condition that cannot be awaited; throws after a minute.
func eventually(_ what: @autoclosure () -> String, _ isThere: () async -> Bool) async throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(60))
    while await !isThere() {
        try Task.checkCancellation()
        guard ContinuousClock.now < deadline else { throw NothingCame(description: "There was never \(what()).") }
        await Task.yield()
    }
}

private struct NothingCame: Error, CustomStringConvertible {
    let description: String
}

/// Runs `body` on a thread of its own, as code without async does.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}

/// The error of a call that must throw.
func failure<Result>(
    _ body: () async throws -> Result, sourceLocation: SourceLocation = #_sourceLocation
) async throws -> MQTTError {
    do {
        _ = try await body()
    } catch let error as MQTTError {
        return error
    }
    Issue.record("Nothing was thrown.", sourceLocation: sourceLocation)
    throw CancellationError()
}
