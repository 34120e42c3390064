import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type Edit, editBody, validate } from "../../data/documents";
import { ApiError } from "../../data/http";
import type { Problem } from "../../data/types";
import { syntaxError } from "../../lib/diagnose";

const pause = 350;

export interface Check {
  state: "syntax" | "checking" | "valid" | "invalid" | "failed";
  problems: Problem[];
  warnings: Problem[];
  /** What went wrong when the check itself failed, or the syntax error. */
  message?: string;
  offset?: number;
}

/** The server's word on a draft, asked shortly after the last key. */
export function useValidation(edit: Edit): Check {
  const schema = edit.schema ?? "";
  const syntax = syntaxError(edit.content);
  const schemaBroken = schema.trim() !== "" && syntaxError(schema);
  const body = editBody(edit);
  const settled = useSettled(body, pause);
  const query = useQuery({
    queryKey: ["validate", edit.document, settled],
    queryFn: () => validate(edit.document, settled),
    enabled: settled === body && !syntax && !schemaBroken,
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (syntax) return { ...nothing, state: "syntax", message: syntax.message, offset: syntax.offset };
  if (schemaBroken) return { ...nothing, state: "failed", message: `Schema: ${schemaBroken.message}` };
  if (settled !== body || query.isPlaceholderData) return { ...nothing, ...query.data, state: "checking" };
  if (query.error) return fromError(query.error);
  if (!query.data) return { ...nothing, state: "checking" };
  const { valid, problems, warnings } = query.data;
  return { state: valid ? "valid" : "invalid", problems, warnings };
}

const nothing = { problems: [], warnings: [] };

function fromError(error: Error): Check {
  if (error instanceof ApiError && error.problems.length > 0) return { ...nothing, state: "invalid", problems: error.problems };
  // A pointer leads into the body of the request; the editor holds its content.
  if (error instanceof ApiError && error.pointer && /^\/content(\/|$)/.test(error.pointer)) {
    return { ...nothing, state: "invalid", problems: [{ pointer: error.pointer.slice("/content".length), message: error.message }] };
  }
  return { ...nothing, state: "failed", message: error.message };
}

function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
