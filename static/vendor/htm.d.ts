// What tsc shall know of htm.js, as far as we use it.

declare const htm: {
  bind(make: (type: any, props?: any, ...children: any[]) => any): (strings: TemplateStringsArray, ...values: any[]) => any;
};

export default htm;
