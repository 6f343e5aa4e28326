export { parse, View, Warn, logger } from "vega";
export { compile } from "vega-lite";
export { expressionInterpreter } from "vega-interpreter";
