#if Tools
import Curlew
import Dispatch

/// A command that is run by the shell, fed, and read to its end.
enum ShellCommand {
    /// Why there is no result.
    enum Problem: Error, Equatable, CustomStringConvertible {
        case notStarted(SystemError)
        case endedWith(Int32)
        case endedBySignal(Int32)
        case tooMuchOutput
        case cancelled

        /// What is wrong with an end; `nil` for code 0.
        fileprivate init?(_ end: ChildProcess.End) {
            switch end {
            case .code(0): return nil
            case .code(let code): self = .endedWith(code)
            case .signal(let signal): self = .endedBySignal(signal)
            }
        }

        var description: String {
            switch self {
            case .notStarted(let error): "it could not be started: \(error)"
            case .endedWith(let code): "it ended with code \(code)"
            case .endedBySignal(let signal): "it was ended by signal \(signal)"
            case .tooMuchOutput: "it wrote more than a message can have"
            case .cancelled: "it was stopped"
            }
        }
    }

    /// Runs a command. Its standard error is that of this process.
    ///
    /// Cancelling the task ends the command.
    ///
    /// - Parameter environment: Variables besides those of this process.
    /// - Returns: What it wrote to standard output, if it ended with 0.
    static func run(
        _ command: String, input: [UInt8], environment: [String: String]
    ) async throws(Problem) -> [UInt8] {
        let child: ChildProcess
        do throws(SystemError) {
            child = try ChildProcess.start(
                ["/bin/sh", "-c", command], environment: currentEnvironment(with: environment))
        } catch {
            throw .notStarted(error)
        }
        let output = OneShot<[UInt8]?>()
        let ended = OneShot<Problem?>()
        // Both at once: a command that writes before it has read all would wait for ever.
        DispatchQueue.global().async {
            // A command need not read what it is given.
            try? child.input.writeAll(input)
            child.input.closeFile()
        }
        DispatchQueue.global().async {
            output.set(Self.readAll(child.output))
            child.output.closeFile()
            ended.set(Problem(child.waitForEnd()))
        }
        // The command is waited for even when the task is cancelled, so that none is left behind.
        let result = await withTaskCancellationHandler {
            await Task { (output: await output.wait() ?? nil, problem: await ended.wait() ?? nil) }.value
        } onCancel: {
            child.send(terminationSignal)
        }
        if Task.isCancelled { throw .cancelled }
        guard let bytes = result.output else { throw .tooMuchOutput }
        if let problem = result.problem { throw problem }
        return bytes
    }

    /// `nil` when it is more than a message can have.
    private static func readAll(_ descriptor: Descriptor) -> [UInt8]? {
        var bytes: [UInt8] = []
        while let more = try? descriptor.readSome(65_536), !more.isEmpty {
            bytes += more
            if bytes.count > Input.maximumMessageSize { return nil }
        }
        return bytes
    }
}
#endif
