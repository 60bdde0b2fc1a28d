#if Tools
import Curlew
import CurlewTransport
import CurlewCore
import Foundation

/// Prints the results of calls, and counts them for the summary and the exit code.
struct CallReport {
    enum Form: Sendable {
        /// The answer alone, for one device.
        case answer
        /// A line for each device.
        case table(deviceWidth: Int)
        /// A JSON object for each device.
        case json
    }

    private let form: Form
    private let isPretty: Bool
    private let deviceCount: Int
    private var counts: [CallOutcomeKind: Int] = [:]
    /// The durations of the answered calls.
    private var durations: [Duration] = []
    /// Why the only call failed.
    private var failure: String?

    init(_ form: Form, isPretty: Bool, deviceCount: Int) {
        self.form = form
        self.isPretty = isPretty
        self.deviceCount = deviceCount
    }

    /// The text for a result, with its line break.
    mutating func line(for result: MQTTCallResult<JSONValue>) -> String {
        let kind = CallOutcomeKind(result.outcome)
        self.counts[kind, default: 0] += 1
        if kind == .answered { self.durations.append(result.duration) }
        switch self.form {
        case .answer:
            guard case .answered(let answer) = result.outcome else {
                self.failure = result.sentence
                return ""
            }
            return self.text(answer) + "\n"
        case .table(let width):
            let name = result.device.printable
            let padding = String(repeating: " ", count: max(0, width - name.count))
            let outcome = kind.name.padding(toLength: CallOutcomeKind.nameWidth, withPad: " ", startingAt: 0)
            let detail = self.detail(result)
            // An answer over several lines follows its line.
            let gap = detail.contains("\n") ? "\n" : "  "
            let line = "\(name)\(padding)  \(outcome)  \(Self.milliseconds(result.duration))\(gap)\(detail)"
            return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
        case .json: return self.text(.object(self.members(of: result, kind))) + "\n"
        }
    }

    private func detail(_ result: MQTTCallResult<JSONValue>) -> String {
        switch result.outcome {
        case .answered(let answer): self.text(answer)
        case .deviceError(let error): "\(error)".printable
        case .noResponder, .timedOut: ""
        case .cancelled(let error), .notSent(let error), .badReply(let error): error.message.printable
        }
    }

    private func members(of result: MQTTCallResult<JSONValue>, _ kind: CallOutcomeKind) -> [String: JSONValue] {
        var members: [String: JSONValue] = [
            "device": .string(result.device), "method": .string(result.method), "outcome": .string(kind.name),
            "milliseconds": .number((result.duration / .milliseconds(1) * 1000).rounded() / 1000),
        ]
        switch result.outcome {
        case .answered(let answer): members["answer"] = answer
        case .deviceError(let error):
            members["code"] = error.code
            members["message"] = .string(error.message)
        case .noResponder, .timedOut: break
        case .cancelled(let error), .notSent(let error), .badReply(let error):
            members["message"] = .string(error.message)
        }
        return members
    }

    private func text(_ value: JSONValue) -> String {
        let text = self.isPretty ? JSONLayout.formatted(value.text) : value.text
        // Control characters that JSON permits could change a terminal.
        return Descriptor.standardOutput.isTerminal ? text.printable(keepsLines: self.isPretty) : text
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let text = String(Int64((duration / .milliseconds(1)).rounded()))
        return String(repeating: " ", count: max(0, 6 - text.count)) + text + " ms"
    }

    /// The summary of a table.
    var summary: String? {
        guard case .table = self.form else { return nil }
        let kinds = CallOutcomeKind.allCases.compactMap { kind in
            self.counts[kind].map { "\($0) \($0 > 1 ? kind.plural : kind.name)" }
        }
        let total = self.counts.values.reduce(0, +)
        // An interrupted command has not called all devices.
        let devices = total < self.deviceCount ? "\(total) of \(self.deviceCount) devices" : total.counted("device")
        let outcomes = kinds.isEmpty ? "" : ": \(kinds.joined(separator: ", "))"
        let median = self.durations.sorted().dropFirst(self.durations.count / 2).first
            .map { "; median time to answer \(Self.milliseconds($0).trimmed)" }
        return devices + outcomes + (median ?? "") + "."
    }

    /// Throws unless all devices have answered. The exit code tells the kind of failure if all failures are of one kind.
    func conclude() throws {
        let failed = self.counts.keys.filter { $0 != .answered }
        guard let kind = failed.first else { return }
        throw CommandFailure(self.failure, exitCode: failed.count == 1 ? kind.exitCode : CommandFailure.general)
    }
}

extension String {
    fileprivate var trimmed: String { String(self.drop { $0 == " " }) }
}

/// The kind of outcome of a call, with its name and exit code.
enum CallOutcomeKind: CaseIterable {
    case answered, deviceError, noResponder, timedOut, badReply, notSent, cancelled

    init(_ outcome: MQTTCallOutcome<JSONValue>) {
        switch outcome {
        case .answered: self = .answered
        case .deviceError: self = .deviceError
        case .noResponder: self = .noResponder
        case .timedOut: self = .timedOut
        case .badReply: self = .badReply
        case .notSent: self = .notSent
        case .cancelled: self = .cancelled
        }
    }

    var name: String {
        switch self {
        case .answered: "answered"
        case .deviceError: "device error"
        case .noResponder: "no responder"
        case .timedOut: "timed out"
        case .badReply: "bad reply"
        case .notSent: "not sent"
        case .cancelled: "cancelled"
        }
    }

    var plural: String {
        switch self {
        case .deviceError: "device errors"
        case .badReply: "bad replies"
        default: self.name
        }
    }

    static let nameWidth = 12

    var exitCode: Int32 {
        switch self {
        case .answered: 0
        case .deviceError: 20
        case .noResponder: 21
        case .badReply: 22
        case .notSent: 23
        case .timedOut: CommandFailure.timeOut
        case .cancelled: CommandFailure.general
        }
    }
}

extension MQTTCallResult<JSONValue> {
    /// Why there is no answer.
    fileprivate var sentence: String {
        switch self.outcome {
        case .answered: ""
        case .deviceError(let error): "\(self.device) answered with an error: \("\(error)".asSentence)"
        case .noResponder: "Nobody receives calls of \(self.device): it is off, or has another name or dialect."
        case .timedOut: "\(self.device) did not answer in time; set another limit with -W."
        case .cancelled(let error), .notSent(let error), .badReply(let error): error.sentence
        }
    }
}
#endif
