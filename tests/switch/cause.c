/*
 * Hangup causes: their names and numbers, as FreeSWITCH has them.
 * An unknown name means NORMAL_CLEARING there, an unknown number has no name of its own.
 */
#include <stdlib.h>
#include <strings.h>

#include "standin.h"

static const struct {
  const char *name;
  int cause;
} CAUSES[] = {{"NONE", 0},
              {"UNALLOCATED_NUMBER", 1},
              {"NO_ROUTE_TRANSIT_NET", 2},
              {"NO_ROUTE_DESTINATION", 3},
              {"CHANNEL_UNACCEPTABLE", 6},
              {"CALL_AWARDED_DELIVERED", 7},
              {"NORMAL_CLEARING", 16},
              {"USER_BUSY", 17},
              {"NO_USER_RESPONSE", 18},
              {"NO_ANSWER", 19},
              {"SUBSCRIBER_ABSENT", 20},
              {"CALL_REJECTED", 21},
              {"NUMBER_CHANGED", 22},
              {"REDIRECTION_TO_NEW_DESTINATION", 23},
              {"EXCHANGE_ROUTING_ERROR", 25},
              {"DESTINATION_OUT_OF_ORDER", 27},
              {"INVALID_NUMBER_FORMAT", 28},
              {"FACILITY_REJECTED", 29},
              {"RESPONSE_TO_STATUS_ENQUIRY", 30},
              {"NORMAL_UNSPECIFIED", 31},
              {"NORMAL_CIRCUIT_CONGESTION", 34},
              {"NETWORK_OUT_OF_ORDER", 38},
              {"NORMAL_TEMPORARY_FAILURE", 41},
              {"SWITCH_CONGESTION", 42},
              {"ACCESS_INFO_DISCARDED", 43},
              {"REQUESTED_CHAN_UNAVAIL", 44},
              {"PRE_EMPTED", 45},
              {"FACILITY_NOT_SUBSCRIBED", 50},
              {"OUTGOING_CALL_BARRED", 52},
              {"INCOMING_CALL_BARRED", 54},
              {"BEARERCAPABILITY_NOTAUTH", 57},
              {"BEARERCAPABILITY_NOTAVAIL", 58},
              {"SERVICE_UNAVAILABLE", 63},
              {"BEARERCAPABILITY_NOTIMPL", 65},
              {"CHAN_NOT_IMPLEMENTED", 66},
              {"FACILITY_NOT_IMPLEMENTED", 69},
              {"SERVICE_NOT_IMPLEMENTED", 79},
              {"INVALID_CALL_REFERENCE", 81},
              {"INCOMPATIBLE_DESTINATION", 88},
              {"INVALID_MSG_UNSPECIFIED", 95},
              {"MANDATORY_IE_MISSING", 96},
              {"MESSAGE_TYPE_NONEXIST", 97},
              {"WRONG_MESSAGE", 98},
              {"IE_NONEXIST", 99},
              {"INVALID_IE_CONTENTS", 100},
              {"WRONG_CALL_STATE", 101},
              {"RECOVERY_ON_TIMER_EXPIRE", 102},
              {"MANDATORY_IE_LENGTH_ERROR", 103},
              {"PROTOCOL_ERROR", 111},
              {"INTERWORKING", 127},
              {"SUCCESS", 142},
              {"ORIGINATOR_CANCEL", 487},
              {"CRASH", 700},
              {"SYSTEM_SHUTDOWN", 701},
              {"LOSE_RACE", 702},
              {"MANAGER_REQUEST", 703},
              {"BLIND_TRANSFER", 800},
              {"ATTENDED_TRANSFER", 801},
              {"ALLOTTED_TIMEOUT", 802},
              {"USER_CHALLENGE", 803},
              {"MEDIA_TIMEOUT", 804},
              {"PICKED_OFF", 805},
              {"USER_NOT_REGISTERED", 806},
              {"PROGRESS_TIMEOUT", 807},
              {"INVALID_GATEWAY", 808},
              {"GATEWAY_DOWN", 809},
              {"INVALID_URL", 810},
              {"INVALID_PROFILE", 811},
              {"NO_PICKUP", 812},
              {"SRTP_READ_ERROR", 813},
              {"BOWOUT", 814},
              {"BUSY_EVERYWHERE", 815},
              {"DECLINE", 816},
              {"DOES_NOT_EXIST_ANYWHERE", 817},
              {"NOT_ACCEPTABLE", 818},
              {"UNWANTED", 819},
              {"NO_IDENTITY", 820},
              {"BAD_IDENTITY_INFO", 821},
              {"UNSUPPORTED_CERTIFICATE", 822},
              {"INVALID_IDENTITY", 823},
              {"STALE_DATE", 824},
              {"REJECT_ALL", 825}};
enum { COUNT = sizeof CAUSES / sizeof *CAUSES };

const char *cause_name(int cause) {
  for (int i = 0; i < COUNT; i++)
    if (CAUSES[i].cause == cause) return CAUSES[i].name;
  return "UNKNOWN";
}

int cause_number(const char *name) {
  if (is_empty(name)) return SWITCH_CAUSE_NORMAL_CLEARING;
  if (*name >= '0' && *name <= '9') return atoi(name);
  for (int i = 0; i < COUNT; i++)
    if (!strcasecmp(CAUSES[i].name, name)) return CAUSES[i].cause;
  return SWITCH_CAUSE_NORMAL_CLEARING;
}

/* Up to 1.10.7 the switch's own causes count from 500 and 600; in here the later numbers stand. */
static bool old_numbers;

void causes_are_old(bool old) { old_numbers = old; }

switch_call_cause_t cause_out(int cause) {
  bool moved = (cause >= 700 && cause <= 703) || (cause >= 800 && cause <= 824);
  return (switch_call_cause_t)(old_numbers && moved ? cause - 200 : cause);
}

int cause_in(switch_call_cause_t given) {
  int cause = (int)given;
  if (!old_numbers) return cause;
  if ((cause >= 500 && cause <= 503) || (cause >= 600 && cause <= 624)) return cause + 200;
  return cause >= 700 ? -1 : cause; /* there is no such cause */
}

switch_call_cause_t switch_channel_str2cause(const char *name) {
  return !is_empty(name) && *name >= '0' && *name <= '9' ? (switch_call_cause_t)atoi(name) : cause_out(cause_number(name));
}

const char *switch_channel_cause2str(switch_call_cause_t cause) { return cause_name(cause_in(cause)); }
