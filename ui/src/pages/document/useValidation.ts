import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { validate } from "../../data/documents";
import { ApiError } from "../../data/http";
import type { Problem } from "../../data/types";
import { syntaxError } from "../../lib/diagnose";
import type { Draft } from "../../lib/draft";

const pause = 350;

export interface Check {
  state: "syntax" | "checking" | "valid" | "invalid" | "failed";
  problems: Problem[];
  /** What went wrong when the check itself failed, or the syntax error. */
  message?: string;
  offset?: number;
}

/** The server's word on a draft, asked shortly after the last key. */
export function useValidation(name: string, draft: Draft, schemaChanged: boolean): Check {
  const settled = useSettled(draft.content, pause);
  const schema = useSettled(draft.schema, pause);
  const syntax = syntaxError(draft.content);
  const schemaBroken = draft.schema.trim() !== "" && syntaxError(draft.schema);
  const query = useQuery({
    queryKey: ["validate", name, settled, schemaChanged ? schema : undefined],
    queryFn: () => validate(name, settled, schemaChanged ? schema : undefined),
    enabled: !syntaxError(settled) && !(schema.trim() !== "" && syntaxError(schema)),
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (syntax) return { state: "syntax", problems: [], message: syntax.message, offset: syntax.offset };
  if (schemaBroken) return { state: "failed", problems: [], message: `Schema: ${schemaBroken.message}` };
  if (query.error) return fromError(query.error);
  if (!query.data || settled !== draft.content || query.isPlaceholderData) {
    return { state: "checking", problems: query.data?.problems ?? [] };
  }
  return { state: query.data.valid ? "valid" : "invalid", problems: query.data.problems };
}

function fromError(error: Error): Check {
  if (error instanceof ApiError && error.problems.length > 0) return { state: "invalid", problems: error.problems };
  // A pointer leads into the body of the request; the editor holds its content.
  if (error instanceof ApiError && error.pointer && /^\/content(\/|$)/.test(error.pointer)) {
    return { state: "invalid", problems: [{ pointer: error.pointer.slice("/content".length), message: error.message }] };
  }
  return { state: "failed", problems: [], message: error.message };
}

function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
