#if Tools
import Curlew
import CurlewTransport
import Foundation
import Synchronization

/// A method of `curlew serve`.
struct ServedMethod: Sendable {
    enum Kind: Sendable {
        case answer(JSONValue)
        /// The parameters are the answer.
        case echo
        case command(String)
    }

    let name: String
    let kind: Kind

    /// Prints a call.
    func say(_ params: JSONValue) throws(SystemError) {
        let line = "\(self.name) \(params.text)"
        let output = Descriptor.standardOutput
        try output.writeAll(Array("\(output.isTerminal ? line.printable(keepsLines: false) : line)\n".utf8))
    }

    func answer(_ params: JSONValue, to call: MQTTCall) async throws -> JSONValue {
        switch self.kind {
        case .answer(let answer): return answer
        case .echo: return params
        case .command(let command):
            do throws(ShellCommand.Problem) {
                let output = try await ShellCommand.run(
                    command, input: Array(params.text.utf8),
                    environment: ["CALL_METHOD": call.method, "CALL_DEVICE": call.device])
                let text = String(decoding: output, as: UTF8.self).withoutLastLineBreak
                return JSONValue(json: text) ?? .string(text)
            } catch {
                if case .cancelled = error { throw CancellationError() }
                Diagnostics.say("The command of the method '\(self.name)' failed: \(error).")
                if case .endedWith(let code) = error {
                    throw MQTTDeviceError(.integer(Int64(code)), "The command failed")
                }
                throw MQTTDeviceError(nil, "The command failed: \(error)")
            }
        }
    }
}

/// Ends `curlew serve` when there were enough calls, or standard output cannot be written.
final class ServingEnd: Sendable {
    private struct State {
        var count = 0
        var failure: SystemError?
    }

    /// The number of calls after which serving ends; `nil` for no limit.
    private let limit: Int?
    private let state = Mutex(State())
    private let end = OneShot<Void>()

    init(limit: Int?) { self.limit = limit }

    /// A call was answered, or could not be.
    func callEnded() {
        let isLast = self.state.withLock { state in
            state.count += 1
            return state.count == self.limit || state.failure != nil
        }
        if isLast { self.end.set(()) }
    }

    /// A call could not be printed. Serving ends after its answer.
    func failed(_ error: SystemError) { self.state.withLock { $0.failure = $0.failure ?? error } }

    /// Waits until serving is to end, or the task is cancelled.
    func wait() async { _ = await self.end.wait() }

    /// Throws unless serving ended as it should.
    ///
    /// - Parameter isCancelled: Whether something else ended it.
    func conclude(isCancelled: Bool) throws {
        let state = self.state.withLock { $0 }
        if let failure = state.failure { throw failure }
        guard isCancelled, let limit, state.count < limit else { return }
        throw CommandFailure("\(state.count) of \(limit.counted("call")) received.")
    }
}

extension JSONValue {
    /// Reads JSON that a person has written; any other text is a string.
    ///
    /// - Throws: If the text begins like JSON and is not.
    init(argument: String) throws {
        if let value = Self(json: argument) {
            self = value
        } else if argument.first(where: { !$0.isWhitespace }).map({ "{[\"".contains($0) }) == true {
            throw CommandFailure(
                "'\(argument)' begins like JSON but is not valid JSON; check the quotes, as in '{\"on\":true}'.")
        } else {
            self = .string(argument)
        }
    }

    /// `nil` if the text is not JSON.
    init?(json text: String) {
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else { return nil }
        self = value
    }

    /// The value on one line.
    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}

extension String {
    /// The text before the first `=` and the text after it; the second is `nil` without one.
    var splitAtEquals: (String, String?) {
        guard let equals = self.firstIndex(of: "=") else { return (self, nil) }
        return (String(self[..<equals]), String(self[self.index(after: equals)...]))
    }

    /// The text without a line break at its end, which commands and editors write.
    var withoutLastLineBreak: String { self.last?.isNewline == true ? String(self.dropLast()) : self }
}
#endif
