package wire

import "time"

// Stages of an update on the node, as told in Problem.Stage.
const (
	StageVerify   = "verify"
	StageParse    = "parse"
	StageValidate = "validate"
	StageWrite    = "write"
	StageHook     = "hook"
	StageHealth   = "health"
	StageConfirm  = "confirm"
)

// Codes of Problem.Code: stable words for programs.
const (
	CodeBadSignature     = "bad_signature"
	CodeWrongAudience    = "wrong_audience"
	CodeWrongCluster     = "wrong_cluster"
	CodeStaleIndex       = "stale_index"
	CodeBaseMismatch     = "base_mismatch"
	CodeManifestMismatch = "manifest_mismatch"
	CodeMalformed        = "malformed"
	CodeSchemaInvalid    = "schema_invalid"
	CodeCheckFailed      = "check_failed"
	CodeDiskFull         = "disk_full"
	CodeWriteFailed      = "write_failed"
	CodeHookFailed       = "hook_failed"
	CodeHookTimeout      = "hook_timeout"
	CodeUnhealthy        = "unhealthy"
	CodeSelfCheck        = "self_check_failed"
	CodeInterrupted      = "interrupted"
	CodeBusy             = "busy"
)

// Reasons of Goaway.
const (
	GoawayShutdown  = "shutdown"
	GoawayNoQuorum  = "no_quorum"
	GoawayRebalance = "rebalance"
	GoawayDuplicate = "duplicate"
)

// Close codes of the WebSocket, all in the private range of RFC 6455.
const (
	CloseProtocol   = 4000 // a frame that breaks the protocol
	CloseProof      = 4001 // the proof does not fit the node's key
	CloseUnknown    = 4002 // no such node is enrolled
	CloseRevoked    = 4003 // the node was removed or its key revoked
	CloseSuperseded = 4004 // a newer connection of this node took over
	CloseDuplicate  = 4005 // another process holds this identity
	CloseGoaway     = 4006 // after goaway
	CloseSlow       = 4007 // a write or an answer took too long
	CloseNotReady   = 4008 // this controller cannot serve agents now
)

// RetryAfter is the shortest wait before an agent comes back after a close
// code; jitter and backoff come on top. Zero means "as after a lost session".
func RetryAfter(code int) time.Duration {
	switch code {
	case CloseRevoked:
		return 15 * time.Minute
	case CloseProof, CloseUnknown, CloseDuplicate:
		return time.Minute
	case CloseProtocol:
		return 10 * time.Second
	case CloseSlow, CloseNotReady:
		return time.Second
	}
	return 0
}
