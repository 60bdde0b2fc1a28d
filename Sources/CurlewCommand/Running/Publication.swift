#if Tools
import Curlew
import CurlewCore
import NIOCore

/// How the messages of `curlew pub` are sent.
struct Publication: Sendable {
    let topic: TopicName
    let qos: QoS
    let retain: Bool
    let properties: Properties

    func publish(_ payload: ByteBuffer, in conversation: Conversation, _ settings: CommandSettings) async throws {
        do {
            try await conversation.client.publish(
                payload, to: self.topic.string, qos: self.qos, retain: self.retain, properties: self.properties)
        } catch {
            let error = MQTTError(of: error)
            // Mosquitto's command prints a warning and exits with 0.
            guard settings.isMosquitto, error.code == .publishRefused else { throw error }
            Diagnostics.say(error.sentence)
        }
    }

    /// Publishes a message several times. If it fails or is cancelled, the error says how many were delivered.
    func publish(
        _ payload: ByteBuffer, times count: Int, every delay: Duration?, in conversation: Conversation,
        _ settings: CommandSettings
    ) async throws {
        var done = 0
        do {
            while done < count {
                if done > 0, let delay { try await Task.sleep(for: delay) }
                try await self.publish(payload, in: conversation, settings)
                done += 1
            }
        } catch  where count > 1 {
            var error = error as? MQTTError
            let rest =
                error?.delivery == .unknown
                ? "; the outcome of the next one is unknown, and the others were not sent." : "."
            let text = "\(done) of \(count) messages were delivered\(rest)"
            error?.delivery = nil
            guard let error, error.code != .cancelled else { throw CommandFailure(text) }
            let reason = CommandFailure(error, version: settings.version)
            throw CommandFailure("\(text) \(error.sentence)", exitCode: reason.exitCode)
        }
    }

    func publishLines(in conversation: Conversation, _ settings: CommandSettings) async throws {
        do { try await conversation.connect() } catch  where Task.isCancelled {
            throw CommandFailure("No line was read or sent; no connection was made.")
        }
        var lines = LineReader(Input(.standardInput, name: "standard input"))
        var window = DeliveryWindow(
            conversation.client, qos: self.qos, retain: self.retain, limit: settings.inFlight)
        var failure: CommandFailure?
        do {
            while let line = try await lines.next() {
                guard await window.send(line, to: self.topic, properties: self.properties) else {
                    lines.putBack(line)
                    break
                }
            }
        } catch let error as CommandFailure {
            failure = error
        }
        await window.finish()
        var tally = window.tally
        // Lines that were read and not sent.
        tally.notSent += lines.unreadCount
        let reason =
            tally.firstError.map { CommandFailure($0, version: settings.version).exitCode } ?? CommandFailure.general
        if let undelivered = tally.failure(
            of: self.qos, isCut: Task.isCancelled, exitCode: window.isUnanswered ? CommandFailure.timeOut : reason
        ) {
            if settings.isMosquitto, tally.wasOnlyRefused {
                if let message = undelivered.message { Diagnostics.say(message) }
            } else {
                // Both are reported.
                if let message = failure?.message { Diagnostics.say(message) }
                throw undelivered
            }
        }
        if let failure { throw failure }
    }
}

extension DeliveryTally {
    /// The outcome of the lines, if some were not delivered or the run was cut short; `nil` if all were delivered.
    func failure(of qos: QoS, isCut: Bool, exitCode: Int32 = CommandFailure.general) -> CommandFailure? {
        guard self.failed > 0 else {
            guard isCut else { return nil }
            let what = qos == .atMostOnce ? "sent, at QoS 0 without an acknowledgement" : "delivered"
            let lines = ["No line was read", "The one line read was \(what)"]
            let text = self.total < 2 ? lines[self.total] : "All \(self.total) lines read were \(what)"
            return CommandFailure("\(text); more may have followed.")
        }
        var parts: [String] = []
        func add(_ count: Int, _ what: String) { if count > 0 { parts.append("\(count) \(what)") } }
        add(self.delivered, qos == .atMostOnce ? "sent" : "acknowledged")
        add(self.refused, "refused")
        add(self.unknown, "sent but not acknowledged, so their outcome is unknown")
        add(self.notSent, "not sent")
        var text =
            "\(self.failed) of \(self.total.counted("line")) read were not delivered: \(parts.joined(separator: ", "))"
        if isCut { text += "; more may have followed" }
        if let error = self.firstError, error.code != .cancelled {
            var error = error
            error.delivery = nil
            text += ". Reason for the first: \(error.sentence)"
        } else {
            text += "."
        }
        return CommandFailure(text, exitCode: exitCode)
    }

    /// Whether the broker has refused every line that was not delivered.
    fileprivate var wasOnlyRefused: Bool { self.failed > 0 && self.refused == self.failed }
}
#endif
