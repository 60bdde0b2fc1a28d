#if Tools
import Foundation
import MosquittoFixture

/// A line of somebody's script, which is to do the same whoever runs it.
struct DropInCase: Sendable, CustomStringConvertible {
    /// The three programs that have a counterpart.
    enum Tool: String, Sendable {
        case publish = "mosquitto_pub"
        case subscribe = "mosquitto_sub"
        case request = "mosquitto_rr"

        var subcommand: String {
            switch self {
            case .publish: "pub"
            case .subscribe: "sub"
            case .request: "request"
            }
        }
    }

    let tool: Tool
    /// Without the server. `{port}` stands for the port of the plain broker, `{tls}` and `{psk}` for those of others,
    /// `{fixtures}` for the folder of certificates, `{folder}` for one of files, `{who}` for who runs it.
    let arguments: [String]
    var input = ""
    /// The options of a file in the place where the tool looks for it.
    var file: String?
    /// Whether digits are the time, which passes.
    var masksDigits = false
    /// Whether the protocol log is among the output, which is not compared.
    var hasTrace = false
    /// Whether mosquitto has a code of its own where Curlew has 1.
    var failsOtherwise = false
    /// Whether it is something that curlew by its own name refuses.
    var isForLinkOnly = false
    /// Whether to leave out the server's port.
    var hasServer = false

    init(_ tool: Tool, _ arguments: [String]) {
        self.tool = tool
        self.arguments = arguments
    }

    /// - Parameter line: Arguments apart by spaces.
    init(_ tool: Tool, _ line: String) {
        self.init(tool, line.split(separator: " ").map(String.init))
    }

    func with<Value>(_ path: WritableKeyPath<Self, Value>, _ value: Value) -> Self {
        var copy = self
        copy[keyPath: path] = value
        return copy
    }

    var description: String { "\(self.tool.rawValue) \(self.arguments.joined(separator: " "))" }
}

/// What came of a case.
struct DropInOutcome: Equatable, CustomStringConvertible {
    var exitCode: Int32
    var output: String

    var description: String { "exit code \(self.exitCode), output \(self.output.debugDescription)" }
}

extension DropInCase {
    /// What is to be the same: output without what cannot be, and the exit code.
    func compared(_ outcome: Subprocess.Outcome) -> DropInOutcome {
        var output = outcome.output
        // For some mistakes mosquitto writes its whole help to standard output.
        if outcome.exitCode == 1, output.contains("\n\nUsage: mosquitto_") { output = "" }
        if self.hasTrace {
            output = output.split(separator: "\n", omittingEmptySubsequences: false)
                .filter { !$0.hasPrefix("Client ") && !$0.hasPrefix("Subscribed (") }.joined(separator: "\n")
        }
        output = output.replacing(#/"tst":(\s*)"[^"]*"/#) { "\"tst\":\($0.output.1)\"now\"" }
        if self.masksDigits { output = output.replacing(#/[0-9]/#, with: "0") }
        return DropInOutcome(
            exitCode: self.failsOtherwise ? min(outcome.exitCode, 1) : outcome.exitCode, output: output)
    }
}
#endif
