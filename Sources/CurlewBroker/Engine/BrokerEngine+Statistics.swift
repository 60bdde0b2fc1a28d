import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// What the broker tells about itself.
extension BrokerEngine {
    /// What was counted since the start, on all event loops.
    func statistics(of workers: [Worker]) -> MQTTBrokerStatistics {
        var statistics = MQTTBrokerStatistics()
        statistics.connectedClients = self.connectedClients.value
        statistics.maximumConnectedClients = self.maximumOfConnectedClients.value
        statistics.sessions = self.sessions.count
        statistics.subscriptions = self.subscriptionCount
        statistics.retainedMessages = self.retained.withLock { $0.count }
        statistics.queuedBytes = self.budget.messageBytes
        statistics.heldBytes = self.budget.held
        for counters in workers.map(\.counters) {
            statistics.connectionsAccepted += counters.connectionsAccepted.value
            statistics.packetsReceived += counters.messagesReceived.value
            statistics.messagesReceived += counters.publishesReceived.value
            statistics.messagesSent += counters.publishesSent.value
            statistics.messagesDropped += counters.publishesDropped.value
            statistics.messagesRefused += counters.publishesRefused.value
            statistics.publishersHeld += counters.holds.value
            statistics.bytesReceived += counters.bytesReceived.value
            statistics.bytesSent += counters.bytesSent.value
        }
        return statistics
    }

    /// Publishes what has changed below `$SYS` repeatedly, until the task is cancelled.
    func publishSystemTopics(every interval: Duration, of workers: [Worker]) async {
        guard let worker = workers.first else { return }
        var topics = SystemTopics(start: self.clock.now())
        repeat {
            let now = self.clock.now()
            let changes = topics.changes(self.statistics(of: workers), now: now)
            worker.eventLoop.execute {
                for (name, text) in changes {
                    guard let topic = try? TopicName("$SYS/broker/" + name) else { continue }
                    let packet = Publish(
                        topic: topic, payload: ByteBuffer(string: text), qos: .exactlyOnce, retain: true,
                        packetID: PacketID(1))
                    _ = self.publish(packet, topic: topic, from: nil, isSystem: true, on: worker, now: now)
                }
            }
        } while (try? await self.clock.sleep(self.clock.now() + interval)) != nil
    }
}
